//! Policy component: model-tiers.
