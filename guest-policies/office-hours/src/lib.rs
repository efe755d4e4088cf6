//! Policy component: office-hours.
