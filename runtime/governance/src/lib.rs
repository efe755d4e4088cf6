//! Accounts, effective policy, limits, prices. Pure: time and randomness are arguments.
