//! Calls into a guest of 0.1.0, its types turned into the host's and checked on the way.

use wasmtime::Store;
use wasmtime::component::{Resource, ResourceAny};

use super::{Loaded, bindings, exports};
use crate::abi::{Calls, Fault, Reply, Translate};
use crate::state::State;
use crate::{
    Amendment, Answer, CatalogueRequest, CommitAfter, Denial, Edit, Failure, FailureKind,
    Judgement, Plan, Replacement, Segment, SignHead, UpstreamStream, Verdict, Window,
};

/// There is at most one of each lent thing in a store, so its handle says nothing.
fn the<T: 'static>() -> Resource<T> {
    Resource::new_borrow(0)
}

impl Calls for Loaded {
    fn configure(&mut self, store: &mut Store<State>, config: &str) -> Reply<Result<(), String>> {
        Ok(self.configuration(store)?.call_configure(store, config)?)
    }

    fn describe(&mut self, store: &mut Store<State>) -> Reply<String> {
        Ok(self.manifest(store)?.call_describe(store)?)
    }

    fn prepare(&mut self, store: &mut Store<State>) -> Reply<Result<Plan, Failure>> {
        match self.exchange(store)?.call_prepare(store, the())? {
            Ok(plan) => Ok(Ok(self::plan(plan)?)),
            Err(refusal) => Ok(Err(failure(refusal))),
        }
    }

    fn classify(&mut self, store: &mut Store<State>) -> Reply<Failure> {
        Ok(failure(self.exchange(store)?.call_classify(store, the())?))
    }

    fn sign(
        &mut self,
        store: &mut Store<State>,
        head: &SignHead<'_>,
    ) -> Reply<Result<Vec<(String, String)>, String>> {
        let headers = borrowed(head.headers);
        let head = exports::signing::Head {
            method: head.method,
            authority: head.authority,
            path: head.path,
            headers: &headers,
            body_sha256: &head.body_sha256,
            now: head.now,
        };
        Ok(self.signing(store)?.call_sign(store, head)?)
    }

    fn respond(&mut self, store: &mut Store<State>, body: &[u8]) -> Reply<Answer> {
        let answer = self.responder(store)?.call_respond(store, the(), body)?;
        Ok(Answer {
            status: answer.status,
            content_type: answer.content_type,
            body: answer.body,
        })
    }

    fn read_capacity(
        &mut self,
        store: &mut Store<State>,
        headers: &[(String, String)],
        now: u64,
    ) -> Reply<Vec<Window>> {
        let headers = borrowed(headers);
        let windows = self.capacity(store)?.call_read(store, &headers, now)?;
        Ok(windows
            .into_iter()
            .map(|window| Window {
                name: window.name,
                used_permille: window.used_permille,
                resets_at: window.resets_at,
            })
            .collect())
    }

    fn catalogue_request(
        &mut self,
        store: &mut Store<State>,
        endpoint: &str,
    ) -> Reply<CatalogueRequest> {
        let (path, headers) = self.catalogue(store)?.call_request(store, endpoint)?;
        Ok(CatalogueRequest { path, headers })
    }

    fn catalogue_read(
        &mut self,
        store: &mut Store<State>,
        body: &[u8],
    ) -> Reply<Result<Vec<String>, String>> {
        Ok(self.catalogue(store)?.call_read(store, body)?)
    }

    fn translator(&mut self, store: &mut Store<State>) -> Reply<ResourceAny> {
        let guest = self.translation(store)?;
        Ok(guest.exchange_translator().call_constructor(store, the())?)
    }

    fn translate(
        &mut self,
        store: &mut Store<State>,
        translator: ResourceAny,
        step: Translate<'_>,
    ) -> Reply<Result<Vec<u8>, String>> {
        let guest = self.translation(store)?.exchange_translator();
        Ok(match step {
            Translate::Request(body) => guest.call_request(store, translator, body)?,
            Translate::Response(body) => guest.call_response(store, translator, body)?,
            Translate::Push(chunk) => guest.call_push(store, translator, chunk)?,
            Translate::Finish => guest.call_finish(store, translator)?,
        })
    }

    fn admit(&mut self, store: &mut Store<State>) -> Reply<Verdict> {
        use exports::admission::Verdict as Guest;
        match self.admission(store)?.call_admit(store, the())? {
            Guest::Allow => Ok(Verdict::Allow),
            Guest::Deny(denial) => Ok(Verdict::Deny(self::denial(denial))),
            Guest::Amend(amendments) => Ok(Verdict::Amend(
                amendments
                    .into_iter()
                    .map(amendment)
                    .collect::<Reply<_>>()?,
            )),
        }
    }

    fn inspect(&mut self, store: &mut Store<State>, segments: &[Segment<'_>]) -> Reply<Judgement> {
        use exports::content::Judgement as Guest;
        let lowered: Vec<_> = segments
            .iter()
            .map(|segment| exports::content::Segment {
                role: segment.role,
                kind: segment.kind,
                text: segment.text,
            })
            .collect();
        Ok(
            match self.content(store)?.call_inspect(store, the(), &lowered)? {
                Guest::Keep => Judgement::Keep,
                Guest::Deny(denial) => Judgement::Deny(self::denial(denial)),
                Guest::Replace(replacements) => Judgement::Replace(
                    replacements
                        .into_iter()
                        .map(|replacement| Replacement {
                            index: replacement.index,
                            text: replacement.text,
                        })
                        .collect(),
                ),
            },
        )
    }

    fn rank(&mut self, store: &mut Store<State>) -> Reply<Vec<u32>> {
        Ok(self.routing(store)?.call_rank(store, the(), the())?)
    }

    fn observe(&mut self, store: &mut Store<State>) -> Reply<()> {
        Ok(self.observation(store)?.call_observe(store, the())?)
    }

    fn answer_filter(&mut self, store: &mut Store<State>, kind: &str) -> Reply<ResourceAny> {
        let guest = self.answer_content(store)?;
        Ok(guest.answer_filter().call_constructor(store, the(), kind)?)
    }

    fn filter(
        &mut self,
        store: &mut Store<State>,
        filter: ResourceAny,
        text: Option<&str>,
    ) -> Reply<Result<String, Denial>> {
        let guest = self.answer_content(store)?.answer_filter();
        let said = match text {
            Some(text) => guest.call_push(store, filter, text)?,
            None => guest.call_finish(store, filter)?,
        };
        Ok(said.map_err(denial))
    }
}

fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn plan(plan: exports::exchange::Plan) -> Reply<Plan> {
    Ok(Plan {
        path: plan.path,
        headers: plan.headers,
        edits: plan.edits.into_iter().map(edit).collect::<Reply<_>>()?,
        commit_after: match plan.commit_after.as_str() {
            "first-event" => CommitAfter::FirstEvent,
            "body" => CommitAfter::Body,
            _ => CommitAfter::Status,
        },
        upstream_stream: match plan.upstream_stream.as_str() {
            "always" => UpstreamStream::Always,
            _ => UpstreamStream::AsAsked,
        },
    })
}

fn edit(edit: exports::exchange::Edit) -> Reply<Edit> {
    use exports::exchange::Edit as Guest;
    Ok(match edit {
        Guest::Set((pointer, value)) => Edit::Set { pointer, value },
        Guest::SetDefault((pointer, value)) => Edit::SetDefault { pointer, value },
        Guest::Remove(pointer) => Edit::Remove { pointer },
        Guest::Rename((pointer, name)) => Edit::Rename { pointer, name },
        Guest::Retain((pointer, members)) => Edit::Retain { pointer, members },
        Guest::Other((name, _)) => return Err(unknown("edit", &name)),
    })
}

fn amendment(amendment: exports::admission::Amendment) -> Reply<Amendment> {
    use exports::admission::Amendment as Guest;
    Ok(match amendment {
        Guest::SetModel(model) => Amendment::SetModel(model),
        Guest::CapOutput(tokens) => Amendment::CapOutput(tokens),
        Guest::SetParameter((name, value)) => Amendment::SetParameter { name, value },
        Guest::Tag((name, value)) => Amendment::Tag { name, value },
        Guest::Other((name, _)) => return Err(unknown("amendment", &name)),
    })
}

fn unknown(what: &str, name: &str) -> Fault {
    let name: String = name.chars().take(80).collect();
    Fault::Answer(format!(
        "asks for the {what} `{name}`, which this host does not know"
    ))
}

fn failure(failure: exports::exchange::Failure) -> Failure {
    Failure {
        kind: FailureKind::from_word(&failure.kind),
        retry_after_ms: failure.retry_after_ms,
        message: failure.message,
    }
}

fn denial(denial: bindings::tollgate::extension::verdicts::Denial) -> Denial {
    Denial {
        reason: denial.reason,
        message: denial.message,
    }
}
