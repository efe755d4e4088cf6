//! Calls into a guest of 0.1.0, its types turned into the host's and checked on the way.

use wasmtime::Store;
use wasmtime::component::{Resource, ResourceAny};

use super::{Loaded, bindings, exports};
use crate::abi::{Calls, Fault, Reply, Translate};
use crate::state::State;
use crate::{
    Amendment, Answer, CataloguePage, CatalogueRequest, CommitAfter, Denial, Edit, Failure,
    FailureKind, Judgement, Plan, Replacement, UpstreamStream, Verdict, Window,
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

    fn sign(&mut self, store: &mut Store<State>) -> Reply<Result<Vec<(String, String)>, String>> {
        Ok(self.signing(store)?.call_sign(store, the(), the())?)
    }

    fn respond(&mut self, store: &mut Store<State>, body: &[u8]) -> Reply<Answer> {
        let answer = self.responder(store)?.call_respond(store, the(), body)?;
        Ok(Answer {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
    }

    fn read_capacity(&mut self, store: &mut Store<State>) -> Reply<Vec<Window>> {
        let windows = self.capacity(store)?.call_read(store, the())?;
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
        let listing = self.catalogue(store)?.call_request(store, endpoint)?;
        Ok(CatalogueRequest {
            path: listing.path,
            headers: listing.headers,
        })
    }

    fn catalogue_read(
        &mut self,
        store: &mut Store<State>,
        body: &[u8],
    ) -> Reply<Result<CataloguePage, String>> {
        let page = self.catalogue(store)?.call_read(store, body)?;
        Ok(page.map(|page| CataloguePage {
            models: page.models.into_iter().map(|model| model.id).collect(),
            next_path: page.next_path,
        }))
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
    ) -> Reply<Result<Vec<u8>, Failure>> {
        let guest = self.translation(store)?.exchange_translator();
        let said = match step {
            Translate::Request(body) => guest.call_request(store, translator, body)?,
            Translate::Answered => guest
                .call_answered(store, translator, the())?
                .map(|()| Vec::new()),
            Translate::Response(body) => guest.call_response(store, translator, body)?,
            Translate::Push(chunk) => guest.call_push(store, translator, chunk)?,
            Translate::Finish => guest.call_finish(store, translator)?,
        };
        Ok(said.map_err(failure))
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
            Guest::Other((name, _)) => Err(unknown("verdict", &name)),
        }
    }

    fn inspect(&mut self, store: &mut Store<State>) -> Reply<Judgement> {
        use exports::content::Judgement as Guest;
        match self.content(store)?.call_inspect(store, the(), the())? {
            Guest::Keep => Ok(Judgement::Keep),
            Guest::Deny(denial) => Ok(Judgement::Deny(self::denial(denial))),
            Guest::Replace(replacements) => Ok(Judgement::Replace(
                replacements
                    .into_iter()
                    .map(|replacement| Replacement {
                        index: replacement.index,
                        text: replacement.text,
                    })
                    .collect(),
            )),
            Guest::Other((name, _)) => Err(unknown("judgement", &name)),
        }
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

fn failure(failure: bindings::tollgate::extension::failures::Failure) -> Failure {
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
