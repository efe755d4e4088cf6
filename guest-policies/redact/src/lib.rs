//! Policy component: redact.
