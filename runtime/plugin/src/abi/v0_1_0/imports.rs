//! What a guest of 0.1.0 reads from the host: each getter answers from what the call under way lent it.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::Resource;

use super::bindings::tollgate::extension::{
    call, candidates, clock, credential, failures, log, outcomes, outgoing, request, segments,
    verdicts,
};
use super::handles::{
    AnswerHeadHandle, CallHandle, CandidatesHandle, FailedAnswerHandle, HeadHandle, OutcomeHandle,
    RequestHandle, SegmentsHandle,
};
use crate::limits::FAILED_BODY_BYTES;
use crate::reads::Getter;
use crate::state::State;
use crate::visible::{parameter_is_visible, parameter_may_be_read, shown};
use crate::{Segment, SignHead};

type Answer<T> = wasmtime::Result<T>;

/// The lent thing, or a trap: a guest kept a handle beyond its call, which the component model itself forbids.
fn lent<'a, T: ?Sized>(slot: &'a Option<std::sync::Arc<T>>, what: &str) -> Answer<&'a T> {
    slot.as_deref()
        .ok_or_else(|| wasmtime::format_err!("no {what} is under way"))
}

impl State {
    fn lent_call(
        &mut self,
        getter: impl FnOnce() -> Getter,
    ) -> Answer<&(dyn crate::CallView + Send + Sync)> {
        if self.recorder.is_on() {
            self.recorder.note(getter());
        }
        lent(&self.lent.call, "call")
    }

    fn lent_head(&self) -> Answer<&SignHead> {
        lent(&self.lent.head, "signing")
    }

    fn segment(&self, position: u32) -> Answer<Option<&Segment>> {
        let all = lent(&self.lent.segments, "inspection")?;
        Ok(usize::try_from(position).ok().and_then(|at| all.get(at)))
    }
}

impl call::Host for State {}

impl call::HostCall for State {
    fn operation(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Operation)?.operation().to_owned())
    }
    fn dialect(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Dialect)?.dialect().to_owned())
    }
    fn model(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Model)?.model().to_owned())
    }
    fn streaming(&mut self, _: Resource<CallHandle>) -> Answer<bool> {
        Ok(self.lent_call(|| Getter::Streaming)?.streaming())
    }
    fn endpoint(&mut self, _: Resource<CallHandle>) -> Answer<String> {
        Ok(self.lent_call(|| Getter::Endpoint)?.endpoint().to_owned())
    }
    fn header(&mut self, _: Resource<CallHandle>, name: String) -> Answer<Option<String>> {
        let call = self.lent_call(|| Getter::Header(name.as_str().into()))?;
        Ok(shown(&name, call.header(&name)).map(str::to_owned))
    }
    fn session(&mut self, _: Resource<CallHandle>) -> Answer<Option<String>> {
        Ok(self
            .lent_call(|| Getter::Session)?
            .session()
            .map(str::to_owned))
    }
    fn attempt(&mut self, _: Resource<CallHandle>) -> Answer<u32> {
        Ok(self.lent_call(|| Getter::Attempt)?.attempt())
    }
    fn drop(&mut self, _: Resource<CallHandle>) -> Answer<()> {
        Ok(())
    }
}

impl call::HostFailedAnswer for State {
    fn status(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<u16> {
        Ok(lent(&self.lent.failed, "failed answer")?.status())
    }
    fn header(&mut self, _: Resource<FailedAnswerHandle>, name: String) -> Answer<Option<String>> {
        let value = lent(&self.lent.failed, "failed answer")?.header(&name);
        Ok(shown(&name, value).map(str::to_owned))
    }
    fn body(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<Vec<u8>> {
        let body = lent(&self.lent.failed, "failed answer")?.body();
        Ok(body[..body.len().min(FAILED_BODY_BYTES)].to_vec())
    }
    fn operation(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<String> {
        Ok(lent(&self.lent.failed, "failed answer")?
            .operation()
            .to_owned())
    }
    fn drop(&mut self, _: Resource<FailedAnswerHandle>) -> Answer<()> {
        Ok(())
    }
}

impl call::HostAnswerHead for State {
    fn status(&mut self, _: Resource<AnswerHeadHandle>) -> Answer<u16> {
        Ok(lent(&self.lent.answer_head, "answer")?.status())
    }
    fn header(&mut self, _: Resource<AnswerHeadHandle>, name: String) -> Answer<Option<String>> {
        let value = lent(&self.lent.answer_head, "answer")?.header(&name);
        Ok(shown(&name, value).map(str::to_owned))
    }
    fn arrived_at(&mut self, _: Resource<AnswerHeadHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.answer_head, "answer")?.arrived_at())
    }
    fn drop(&mut self, _: Resource<AnswerHeadHandle>) -> Answer<()> {
        Ok(())
    }
}

impl outgoing::Host for State {}

impl outgoing::HostHead for State {
    fn method(&mut self, _: Resource<HeadHandle>) -> Answer<String> {
        Ok(self.lent_head()?.method.clone())
    }
    fn authority(&mut self, _: Resource<HeadHandle>) -> Answer<String> {
        Ok(self.lent_head()?.authority.clone())
    }
    fn path(&mut self, _: Resource<HeadHandle>) -> Answer<String> {
        Ok(self.lent_head()?.path.clone())
    }
    // Not hidden: these are the plan's own templates, and hold no secret yet.
    fn header(&mut self, _: Resource<HeadHandle>, name: String) -> Answer<Option<String>> {
        let headers = &self.lent_head()?.headers;
        let found = headers.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(_, template)| template.clone()))
    }
    fn header_names(&mut self, _: Resource<HeadHandle>) -> Answer<Vec<String>> {
        let headers = &self.lent_head()?.headers;
        Ok(headers.iter().map(|(name, _)| name.clone()).collect())
    }
    fn body_sha256(&mut self, _: Resource<HeadHandle>) -> Answer<Vec<u8>> {
        Ok(self.lent_head()?.body_sha256.to_vec())
    }
    fn now(&mut self, _: Resource<HeadHandle>) -> Answer<u64> {
        Ok(self.lent_head()?.now)
    }
    fn drop(&mut self, _: Resource<HeadHandle>) -> Answer<()> {
        Ok(())
    }
}

impl segments::Host for State {}

impl segments::HostSegments for State {
    fn count(&mut self, _: Resource<SegmentsHandle>) -> Answer<u32> {
        let count = lent(&self.lent.segments, "inspection")?.len();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
    fn role(&mut self, _: Resource<SegmentsHandle>, position: u32) -> Answer<String> {
        Ok(self.segment(position)?.map_or("", |one| one.role).into())
    }
    fn kind(&mut self, _: Resource<SegmentsHandle>, position: u32) -> Answer<String> {
        Ok(self.segment(position)?.map_or("", |one| one.kind).into())
    }
    fn text(&mut self, _: Resource<SegmentsHandle>, position: u32) -> Answer<String> {
        let found = self.segment(position)?;
        Ok(found.map(|one| one.text.clone()).unwrap_or_default())
    }
    fn drop(&mut self, _: Resource<SegmentsHandle>) -> Answer<()> {
        Ok(())
    }
}

impl request::Host for State {}

impl request::HostRequest for State {
    fn id(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.id().to_owned())
    }
    fn operation(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.operation().to_owned())
    }
    fn dialect(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.dialect().to_owned())
    }
    fn model(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.model().to_owned())
    }
    fn streaming(&mut self, _: Resource<RequestHandle>) -> Answer<bool> {
        Ok(lent(&self.lent.request, "request")?.streaming())
    }
    fn output_cap(&mut self, _: Resource<RequestHandle>) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.request, "request")?.output_cap())
    }
    fn parameter(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<Option<String>> {
        if !parameter_may_be_read(&name) {
            return Ok(None);
        }
        let value = lent(&self.lent.request, "request")?.parameter(&name);
        Ok(value.filter(|json| parameter_is_visible(&name, json)))
    }
    fn header(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<Option<String>> {
        let value = lent(&self.lent.request, "request")?.header(&name);
        Ok(shown(&name, value))
    }
    fn account_path(&mut self, _: Resource<RequestHandle>) -> Answer<Vec<String>> {
        Ok(lent(&self.lent.request, "request")?.account_path())
    }
    fn key_label(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(lent(&self.lent.request, "request")?.key_label().to_owned())
    }
    fn body_size(&mut self, _: Resource<RequestHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.request, "request")?.body_size())
    }
    fn drop(&mut self, _: Resource<RequestHandle>) -> Answer<()> {
        Ok(())
    }
}

impl candidates::Host for State {}

impl candidates::HostCandidates for State {
    fn count(&mut self, _: Resource<CandidatesHandle>) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.count())
    }
    fn upstream(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .upstream(position)
            .to_owned())
    }
    fn provider(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .provider(position)
            .to_owned())
    }
    fn model(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .model(position)
            .to_owned())
    }
    fn tier(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<String> {
        Ok(lent(&self.lent.candidates, "ranking")?
            .tier(position)
            .to_owned())
    }
    fn input_price(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.candidates, "ranking")?.input_price(position))
    }
    fn output_price(
        &mut self,
        _: Resource<CandidatesHandle>,
        position: u32,
    ) -> Answer<Option<u64>> {
        Ok(lent(&self.lent.candidates, "ranking")?.output_price(position))
    }
    fn load(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.load(position))
    }
    fn latency_ms(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<u32> {
        Ok(lent(&self.lent.candidates, "ranking")?.latency_ms(position))
    }
    fn healthy(&mut self, _: Resource<CandidatesHandle>, position: u32) -> Answer<bool> {
        Ok(lent(&self.lent.candidates, "ranking")?.healthy(position))
    }
    fn drop(&mut self, _: Resource<CandidatesHandle>) -> Answer<()> {
        Ok(())
    }
}

impl outcomes::Host for State {}

impl outcomes::HostOutcome for State {
    fn request_id(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.request_id().to_owned())
    }
    fn status(&mut self, _: Resource<OutcomeHandle>) -> Answer<u16> {
        Ok(lent(&self.lent.outcome, "outcome")?.status())
    }
    fn model(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.model().to_owned())
    }
    fn upstream(&mut self, _: Resource<OutcomeHandle>) -> Answer<String> {
        Ok(lent(&self.lent.outcome, "outcome")?.upstream().to_owned())
    }
    fn input_tokens(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.input_tokens())
    }
    fn output_tokens(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.output_tokens())
    }
    fn charged(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.charged())
    }
    fn duration_ms(&mut self, _: Resource<OutcomeHandle>) -> Answer<u64> {
        Ok(lent(&self.lent.outcome, "outcome")?.duration_ms())
    }
    fn account_path(&mut self, _: Resource<OutcomeHandle>) -> Answer<Vec<String>> {
        Ok(lent(&self.lent.outcome, "outcome")?.account_path())
    }
    fn drop(&mut self, _: Resource<OutcomeHandle>) -> Answer<()> {
        Ok(())
    }
}

impl log::Host for State {
    fn write(&mut self, level: String, message: String) -> Answer<()> {
        self.log(&level, &message);
        Ok(())
    }
}

impl clock::Host for State {
    fn now(&mut self) -> Answer<u64> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn local(&mut self, zone: String) -> Answer<Result<clock::LocalTime, String>> {
        let Ok(zone) = jiff::tz::TimeZone::get(&zone) else {
            return Ok(Err(format!(
                "`{zone}` is no known time zone; use an IANA name such as `Europe/Berlin`"
            )));
        };
        let now = jiff::Timestamp::now().to_zoned(zone);
        Ok(Ok(clock::LocalTime {
            year: i32::from(now.year()),
            month: now.month().unsigned_abs(),
            day: now.day().unsigned_abs(),
            weekday: now.weekday().to_monday_one_offset().unsigned_abs(),
            hour: now.hour().unsigned_abs(),
            minute: now.minute().unsigned_abs(),
            second: now.second().unsigned_abs(),
            offset_seconds: now.offset().seconds(),
        }))
    }
}

impl credential::Host for State {
    fn mac(
        &mut self,
        algorithm: String,
        field: String,
        prefix: String,
        data: Vec<u8>,
    ) -> Answer<Result<Vec<u8>, String>> {
        Ok(match &self.lent.macs {
            Some(macs) => macs.mac(&algorithm, &field, &prefix, &data),
            None => Err("`credential.mac` may only be called inside `signing.sign`".into()),
        })
    }
}

impl verdicts::Host for State {}

impl failures::Host for State {}
