//! Usage as FOCUS 1.2, the FinOps Open Cost and Usage Specification: a charge for each request.
//!
//! All columns that are mandatory there, the conditional ones that apply to a gateway, and what only we have as `x_`
//! columns. Columns of discounts by commitment, capacity, regions and unit prices are left out: nothing here has any.

use jiff::Timestamp;
use tollgate_governance::{Day, UsageRow, Zone};

use super::rows::tags;

/// The columns, in the order in which they are written.
pub(super) const COLUMNS: [&str; 43] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_CacheReadTokens",
    "x_CacheWriteTokens",
    "x_InputTokens",
    "x_KeyId",
    "x_Operation",
    "x_OutputTokens",
    "x_ReasoningTokens",
    "x_RequestId",
];

/// Where a call reached nobody whose name could stand there; these columns may not be empty.
const UNKNOWN: &str = "unknown";

/// Writes charges of one tree.
pub(super) struct Focus {
    account_id: String,
    account_name: String,
    currency: String,
    zone: Zone,
    /// The month of the row before: most rows are of the same one.
    month: Day,
}

impl Focus {
    pub(super) fn new(
        account_id: String,
        account_name: String,
        currency: String,
        zone: Zone,
    ) -> Self {
        Self {
            account_id,
            account_name,
            currency,
            zone,
            month: Day {
                start_ms: 0,
                end_ms: 0,
            },
        }
    }

    /// The cells of a row, in the order of [`COLUMNS`]; none if it is no charge: nothing was used and nothing it cost.
    pub(super) fn cells(&mut self, row: &UsageRow<'_>) -> Option<[String; COLUMNS.len()]> {
        let tokens = &row.tokens;
        let written = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
        let consumed = [tokens.input, tokens.cache_read, written, tokens.output]
            .into_iter()
            .fold(0, u64::saturating_add);
        if consumed == 0 && row.charged == 0 && row.base_cost == 0 {
            return None;
        }
        if !(self.month.start_ms..self.month.end_ms).contains(&row.admitted_ms) {
            self.month = self.zone.month_of(row.admitted_ms);
        }
        // Whole seconds: the end is not within the period, so it is the second after.
        let starts = row.admitted_ms - row.admitted_ms % 1_000;
        let ends = row.ended_ms.max(row.admitted_ms) / 1_000 * 1_000 + 1_000;
        let provider = named([&row.provider, &row.upstream]);
        let model = named([&row.upstream_model, row.limited_model()]);
        let sku = format!("{provider}/{model}");
        let description = format!(
            "{} on {model}: {consumed} tokens",
            named([&row.operation, ""])
        );
        Some([
            money(row.charged),
            self.account_id.clone(),
            self.account_name.clone(),
            self.currency.clone(),
            second(self.month.end_ms),
            second(self.month.start_ms),
            "Usage".to_owned(),
            // Only corrections have a class.
            String::new(),
            description,
            "Usage-Based".to_owned(),
            second(ends),
            second(starts),
            consumed.to_string(),
            "Tokens".to_owned(),
            money(row.charged),
            money(row.charged),
            provider.to_owned(),
            money(row.base_cost),
            "Standard".to_owned(),
            consumed.to_string(),
            "Tokens".to_owned(),
            provider.to_owned(),
            provider.to_owned(),
            sku.clone(),
            model.to_owned(),
            "Model".to_owned(),
            "AI and Machine Learning".to_owned(),
            named([&row.upstream, &row.provider]).to_owned(),
            "Generative AI".to_owned(),
            sku.clone(),
            // A price belongs to one model: vendors call theirs alike.
            match &*row.price_version {
                "" => sku.clone(),
                version => format!("{sku}@{version}"),
            },
            row.account().map(|id| id.to_string()).unwrap_or_default(),
            row.names.to_string(),
            "Account".to_owned(),
            tags(row),
            tokens.cache_read.to_string(),
            written.to_string(),
            tokens.input.to_string(),
            row.key.to_string(),
            row.operation.to_string(),
            tokens.output.to_string(),
            tokens.reasoning.to_string(),
            row.request.to_string(),
        ])
    }
}

/// The first of the names that is one.
fn named(names: [&str; 2]) -> &str {
    let mut names = names.into_iter().filter(|name| !name.is_empty());
    names.next().unwrap_or(UNKNOWN)
}

/// Micro-units as a decimal number.
fn money(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// As FOCUS writes moments: UTC, to the second.
fn second(ms: u64) -> String {
    let stamp = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp
        .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
