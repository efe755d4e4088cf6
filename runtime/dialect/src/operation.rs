//! What a client can ask for, and the wire dialect it is asked in.

/// One kind of request. The string forms are those of the component contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/responses/compact`.
    Compact,
    /// `POST /v1/responses/input_tokens`.
    InputTokens,
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`.
    CountTokens,
    /// `POST /v1/embeddings`.
    Embeddings,
}

impl Operation {
    /// Every operation, in the order of their documentation.
    pub const ALL: [Self; 7] = [
        Self::ChatCompletions,
        Self::Responses,
        Self::Compact,
        Self::InputTokens,
        Self::Messages,
        Self::CountTokens,
        Self::Embeddings,
    ];

    /// The name in the component contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat-completions",
            Self::Responses => "responses",
            Self::Compact => "compact",
            Self::InputTokens => "input-tokens",
            Self::Messages => "messages",
            Self::CountTokens => "count-tokens",
            Self::Embeddings => "embeddings",
        }
    }

    /// The operation with this name in the component contract.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == name)
    }

    /// The dialect its bodies are written in.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions => Dialect::OpenaiChat,
            Self::Responses | Self::Compact | Self::InputTokens => Dialect::OpenaiResponses,
            Self::Messages | Self::CountTokens => Dialect::AnthropicMessages,
            Self::Embeddings => Dialect::OpenaiEmbeddings,
        }
    }

    /// The path a client asks, with the `/v1` prefix.
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Compact => "/v1/responses/compact",
            Self::InputTokens => "/v1/responses/input_tokens",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    /// The operation asked for at `path`, with or without the `/v1` prefix; query already cut off.
    pub fn from_path(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/v1").unwrap_or(path);
        Self::ALL
            .into_iter()
            .find(|operation| &operation.path()[3..] == path)
    }

    /// The operation whose requests it takes: what is read, judged or put in front of those holds for its own as well.
    #[must_use]
    pub const fn reads_as(self) -> Self {
        match self {
            Self::Compact | Self::InputTokens => Self::Responses,
            Self::CountTokens => Self::Messages,
            other => other,
        }
    }

    /// Whether it only counts the tokens of a request: nothing is generated, and it is free at every vendor that has it.
    pub const fn counts(self) -> bool {
        matches!(self, Self::InputTokens | Self::CountTokens)
    }

    /// Whether the operation can answer as an event stream.
    pub const fn streams(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions | Self::Responses | Self::Messages
        )
    }
}

/// A wire dialect: how bodies, events and errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// Chat Completions.
    OpenaiChat,
    /// Responses.
    OpenaiResponses,
    /// Embeddings.
    OpenaiEmbeddings,
    /// Messages and token counting.
    AnthropicMessages,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::OpenaiEmbeddings,
        Self::AnthropicMessages,
    ];

    /// The name in the component contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::OpenaiEmbeddings => "openai-embeddings",
            Self::AnthropicMessages => "anthropic-messages",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_lead_back_to_their_operation() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_name(operation.as_str()), Some(operation));
            assert_eq!(Operation::from_path(operation.path()), Some(operation));
            assert_eq!(
                Operation::from_path(&operation.path()[3..]),
                Some(operation)
            );
        }
        assert_eq!(Operation::from_path("/v1/v1/messages"), None);
        assert_eq!(Operation::from_path("/v1"), None);
        assert_eq!(Operation::from_path(""), None);
    }
}
