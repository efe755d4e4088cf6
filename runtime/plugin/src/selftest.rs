//! The call that a provider must survive before it serves: `prepare` with a plausible request.

use std::sync::Arc;

use crate::instance::{Instance, Template};
use crate::plan::check_plan;
use crate::state::Lent;
use crate::{CallView, ErrorKind, Manifest, PluginError};

/// Asks for a plan for each of the default endpoint's operations. A refusal is an answer; a trap, a time-out or a
/// plan that cannot be carried out is not.
pub(crate) fn prepare(
    instance: &mut Instance,
    template: &Template,
    manifest: &Manifest,
) -> Result<(), PluginError> {
    let Some(endpoint) = manifest.endpoints.first() else {
        return Ok(());
    };
    for operation in &endpoint.operations {
        let call = Sample::new(manifest, &endpoint.name, operation);
        let lent = Lent {
            call: Some(Arc::new(call)),
            ..Lent::default()
        };
        let told = |error: PluginError| PluginError {
            message: format!(
                "failed its self-test (`prepare` for {operation}): {}",
                error.message
            ),
            ..error
        };
        let plan = instance
            .setup_call(template, lent, |calls, store| calls.prepare(store))
            .map_err(told)?;
        if let Ok(plan) = plan {
            check_plan(&plan, Some(manifest)).map_err(|why| {
                told(PluginError::new(
                    &*template.component,
                    ErrorKind::BadAnswer,
                    why,
                ))
            })?;
        }
    }
    Ok(())
}

/// A request as any client might make it.
struct Sample {
    operation: String,
    dialect: &'static str,
    model: String,
    endpoint: String,
}

impl Sample {
    fn new(manifest: &Manifest, endpoint: &str, operation: &str) -> Self {
        let serves = |model: &&crate::Model| {
            model
                .operations
                .as_ref()
                .is_none_or(|operations| operations.iter().any(|known| known == operation))
        };
        let model = manifest
            .models
            .iter()
            .find(serves)
            .map_or("some-model", |model| model.id.as_str());
        Self {
            dialect: match operation {
                "responses" | "compact" | "input-tokens" => "openai-responses",
                "embeddings" => "openai-embeddings",
                "messages" | "count-tokens" => "anthropic-messages",
                _ => "openai-chat",
            },
            operation: operation.to_owned(),
            model: model.to_owned(),
            endpoint: endpoint.to_owned(),
        }
    }
}

impl CallView for Sample {
    fn operation(&self) -> &str {
        &self.operation
    }
    fn dialect(&self) -> &str {
        self.dialect
    }
    fn model(&self) -> &str {
        &self.model
    }
    fn streaming(&self) -> bool {
        false
    }
    fn endpoint(&self) -> &str {
        &self.endpoint
    }
    fn header(&self, _name: &str) -> Option<&str> {
        None
    }
    fn session(&self) -> Option<&str> {
        None
    }
    fn attempt(&self) -> u32 {
        1
    }
}
