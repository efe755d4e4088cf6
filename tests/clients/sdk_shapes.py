"""Judges what the bridge wrote by the official SDKs for Python: by their types, and by what their streaming helpers read.

The argument is a folder of `requests.jsonl`, `answers.jsonl` and `streams.jsonl`: each line has a `name`, a `dialect` and
a `body`. Prints what does not fit and, last, one JSON object of counts; ends with status 1 where anything does not fit.
Leaves `finals.jsonl` there: what each stream says that a helper reads to its end, else null; for other SDKs' helpers.
"""

import collections
import json
import pathlib
import re
import sys

import anthropic
import httpx2
import openai
import pydantic
from anthropic.types import ErrorResponse, Message, MessageCreateParams, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from anthropic.types.beta import message_create_params as beta_params
from openai.types.chat import ChatCompletion, ChatCompletionChunk, CompletionCreateParams
from openai.types.responses import Response, ResponseCreateParams, ResponseErrorEvent, ResponseStreamEvent

from sdk_types import alternatives, literals, misfits, plain

# The types with MCP servers are behind a flag, and those of a client that has set it.
TYPES = {
    "requests": {"chat": CompletionCreateParams, "responses": ResponseCreateParams, "messages": MessageCreateParams, "beta": beta_params.MessageCreateParams},
    "answers": {"chat": ChatCompletion, "responses": Response, "messages": Message, "beta": BetaMessage},
    "events": {"chat": ChatCompletionChunk, "responses": ResponseStreamEvent, "messages": RawMessageStreamEvent, "beta": BetaRawMessageStreamEvent},
}
# The same for pydantic, by the value of `type` or `object` that tells a kind.
STRICT = {
    (kind, dialect, value): pydantic.TypeAdapter(shape)
    for kind in ("answers", "events")
    for dialect, union in TYPES[kind].items()
    for shape in alternatives(union)
    for name, values, _ in literals(shape)
    if name == ("type" if dialect in ("messages", "beta") or (kind, dialect) == ("events", "responses") else "object")
    for value in values
}

# What is written though the SDKs have no word for it: kind, dialect, place, where (in the name of the line), why.
# Whatever of this is no longer met with is a fault as well.
ALLOWED = [
    ("requests", "chat", r".messages\[\].reasoning_content", "", "what vendors that take reasoning back call it"),
    ("requests", "messages", ".temperature|.top_p", "", "models before the newest take them, whose types leave them out"),
    ("requests", "responses", r".input\[\].id", "", "an id that we made up would be looked for, and not found"),
    ("requests", "responses", r".input\[\].content\[\]", "refusal", "the vendor takes it without the id of its message"),
    ("requests", "responses", r".tools\[\].filters.blocked_domains", "", "documented by the vendor, and in no type yet"),
    ("answers", "chat", r".choices\[\].message.reasoning_content", "", "what vendors that show reasoning call it"),
    ("events", "chat", r".choices\[\].delta.reasoning_content", "", "likewise"),
    ("events", "chat", r".choices\[\].delta.annotations", "", "the answer's type has them, the chunk's not"),
    ("events", "chat", r".choices\[\].delta.tool_calls\[\].(type|custom)", "custom", "likewise"),
    ("streams", "chat", "", "custom", "thus the streaming helper trips over custom calls"),
    ("answers", "responses", ".store", "", "the vendor's own answers have it"),
    ("events", "responses", ".response.store", "", "likewise"),
    ("answers", "responses", r".output\[\].status", "custom", "the vendor's own custom calls have it"),
    ("events", "responses", r"(.item|.response.output\[\]).status", "custom", "likewise"),
    ("events", "responses", r"(.response|).error.code", "error", "the word by which Codex knows that it may try again"),
    ("events", "responses", r".logprobs\[\](.top_logprobs\[\])?.bytes", "logprobs", "the answer's type has them, the event's not"),
    ("events", "responses", ".error", "", "where the SDKs look for what they raise; its type is flat"),
]

folder = pathlib.Path(sys.argv[1])
counts, faults, used = collections.Counter(), collections.defaultdict(list), set()
finals = (folder / "finals.jsonl").open("w")


def fault(kind, dialect, name, place, wrong):
    plain = re.sub(r"\[\d+\]", "[]", place)
    for number, (of, at, pattern, where, _) in enumerate(ALLOWED):
        if (of, at) == (kind, dialect) and where in name and re.fullmatch(pattern, plain):
            used.add(number)
            return
    faults[f"{kind} {dialect} {plain}: {wrong}"].append(name)


def flagged(dialect, body):
    """The dialect, with the flag where what it is for is there."""
    return "beta" if dialect == "messages" and '"mcp_' in json.dumps(body) else dialect


def check(kind, dialect, name, body):
    counts[f"{flagged(dialect, body)} {kind}"] += 1
    for place, wrong in misfits(TYPES[kind][flagged(dialect, body)], body):
        fault(kind, dialect, name, place, wrong)


def strictly(kind, dialect, name, body):
    """A second opinion on what clients parse: pydantic's own, strict."""
    adapter = STRICT.get((kind, flagged(dialect, body), body.get("type", body.get("object"))))
    try:
        if adapter:
            adapter.validate_json(json.dumps(body), strict=True)
    except pydantic.ValidationError as error:
        for one in error.errors():
            place = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in one["loc"])
            fault(kind, dialect, name, place, one["msg"])


def events_of(sse):
    """Name and data of each event, read the plain way."""
    for event in sse.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line and not line.startswith(":"))
        if fields.get("data", "[DONE]") != "[DONE]":
            yield fields.get("event"), json.loads(fields["data"])


def answering(content_type, body):
    """An HTTP client that gets this answer to whatever it sends."""
    answer = lambda request: httpx2.Response(200, headers={"content-type": content_type}, text=body)
    return httpx2.Client(transport=httpx2.MockTransport(answer))


def openai_of(*answer):
    return openai.OpenAI(api_key="none", base_url="http://gateway/v1", max_retries=0, http_client=answering(*answer))


def anthropic_of(*answer):
    return anthropic.Anthropic(api_key="none", base_url="http://gateway", max_retries=0, http_client=answering(*answer))


def messages_of(content_type, body):
    client = anthropic_of(content_type, body)
    return client.beta.messages if '"mcp_' in body else client.messages


QUESTION = [{"role": "user", "content": "?"}]


def ask(dialect, *answer):
    """The SDK's own call for a whole answer."""
    if dialect == "messages":
        return messages_of(*answer).create(model="m", max_tokens=1, messages=QUESTION)
    client = openai_of(*answer)
    if dialect == "chat":
        return client.chat.completions.create(model="m", messages=QUESTION)
    return client.responses.create(model="m", input="?")


def streamed(dialect, *answer):
    """What the SDK's streaming helper makes of the events."""
    if dialect == "messages":
        with messages_of(*answer).stream(model="m", max_tokens=1, messages=QUESTION) as stream:
            return stream.get_final_message()
    client = openai_of(*answer)
    if dialect == "chat":
        with client.chat.completions.stream(model="m", messages=QUESTION) as stream:
            try:
                return stream.get_final_completion()
            except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError) as cut:
                # The helper raises what did not come to its end, and has read it by then.
                return cut.completion
    with client.responses.stream(model="m", input="?") as stream:
        last = collections.deque(stream, maxlen=1).pop()
        return last.response


def told_by_chat(events):
    message, told = {}, {}
    for _, chunk in events:
        told["usage"] = chunk.get("usage") or told.get("usage")
        for choice in chunk["choices"]:
            delta = choice["delta"]
            for name in ("content", "refusal", "reasoning_content"):
                if delta.get(name) is not None:
                    message[name] = message.get(name, "") + delta[name]
            if "annotations" in delta:
                message["annotations"] = message.get("annotations", []) + delta["annotations"]
            for call in delta.get("tool_calls", []):
                calls = message.setdefault("tool_calls", {})
                known = calls.setdefault(call["index"], {"id": call.get("id"), "name": "", "input": ""})
                inner = call.get("function") or call.get("custom") or {}
                known["name"] += inner.get("name", "")
                known["input"] += inner.get("arguments", inner.get("input", ""))
            told["finish_reason"] = choice["finish_reason"] or told.get("finish_reason")
    message["tool_calls"] = [call for _, call in sorted(message.get("tool_calls", {}).items())]
    return {**message, **{name: value for name, value in told.items() if value is not None}}


def read_from_chat(final):
    choice = final["choices"][0]
    message = choice["message"]
    calls = []
    for call in message.get("tool_calls", []):
        inner = call.get("function") or call.get("custom")
        calls.append({"id": call["id"], "name": inner["name"], "input": inner.get("arguments", inner.get("input"))})
    told = {name: message[name] for name in ("content", "refusal", "reasoning_content", "annotations") if name in message}
    told |= {"tool_calls": calls, "finish_reason": choice["finish_reason"]}
    return told | ({"usage": final["usage"]} if "usage" in final else {})


def told_by_responses(events):
    """The last event's response, its texts and arguments as the deltas told them."""
    pieces = collections.defaultdict(str)
    for _, event in events:
        if event["type"].endswith(".delta"):
            part = event.get("content_index", event.get("summary_index", 0))
            pieces[event["output_index"], part] += event["delta"]
        last = event
    response = last["response"]
    for index, item in enumerate(response["output"]):
        for part, content in enumerate(item.get("content") or item.get("summary") or []):
            content["refusal" if content["type"] == "refusal" else "text"] = pieces[index, part]
        for name in {"arguments", "input"} & item.keys():
            if isinstance(item[name], str):
                item[name] = pieces[index, 0]
    return response


def told_by_messages(events):
    for _, event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                block, inputs = event["content_block"], ""
                message["content"].append(block)
            case "content_block_delta":
                match event["delta"]:
                    case {"type": "text_delta", "text": text}:
                        block["text"] += text
                    case {"type": "thinking_delta", "thinking": thinking}:
                        block["thinking"] += thinking
                    case {"type": "signature_delta", "signature": signature}:
                        block["signature"] = signature
                    case {"type": "citations_delta", "citation": citation}:
                        block["citations"] = (block.get("citations") or []) + [citation]
                    case {"type": "input_json_delta", "partial_json": partial}:
                        inputs += partial
            case "content_block_stop" if inputs:
                block["input"] = json.loads(inputs)
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message


def read_stream(dialect, name, sse):
    """What its events say, which is what the streaming helper must read; nothing of a stream that fails."""
    counts[f"{dialect} streams"] += 1
    events = list(events_of(sse))
    for event, data in events:
        if event != data.get("type"):
            fault("events", dialect, name, "event", f"the line says {event}, the data {data.get('type')}")
        if "error" in data and data.get("type") in (None, "error"):
            # No event of an answer; the SDKs raise it.
            shape = {"messages": ErrorResponse, "responses": ResponseErrorEvent}.get(dialect)
            for place, wrong in misfits(shape, data) if shape else []:
                fault("events", dialect, name, place, wrong)
            continue
        check("events", dialect, name, data)
        strictly("events", dialect, name, data)
    failed = any("error" in data or data.get("type") == "response.failed" for _, data in events)
    try:
        final = plain(streamed(dialect, "text/event-stream", sse))
    except (openai.APIError, anthropic.APIError) as error:
        if not failed:
            raise
        counts[f"{dialect} streams that fail"] += 1
        return None
    if failed:
        if dialect != "responses":
            fault("streams", dialect, name, "error", "the SDK did not raise what the stream says")
        counts[f"{dialect} streams that fail"] += 1
        return None
    told = {"chat": told_by_chat, "responses": told_by_responses, "messages": told_by_messages}[dialect](events)
    if dialect == "chat":
        final = read_from_chat(final)
    if plain(told) != final:
        fault("streams", dialect, name, "final", f"{json.dumps(plain(told))}\n  read as {json.dumps(final)}")
    return plain(told)


def lines(kind):
    for line in (folder / f"{kind}.jsonl").read_text().splitlines():
        line = json.loads(line)
        yield line["dialect"], line["name"], line["body"]


for dialect, name, body in lines("requests"):
    check("requests", dialect, name, body)
for dialect, name, body in lines("answers"):
    check("answers", dialect, name, body)
    strictly("answers", dialect, name, body)
    if plain(ask(dialect, "application/json", json.dumps(body))) != plain(body):
        fault("answers", dialect, name, "", "the SDK reads something else")
for dialect, name, body in lines("streams"):
    try:
        told = read_stream(dialect, name, body)
    except Exception as error:
        fault("streams", dialect, name, "", f"{type(error).__name__}: {error}")
        told = None
    finals.write(json.dumps(told) + "\n")

for number, (kind, dialect, place, _, why) in enumerate(ALLOWED):
    if number not in used:
        faults[f"{kind} {dialect} {place}: allowed, but nothing needs it ({why})"] = []
for wrong, names in faults.items():
    print(f"{len(names)} × {wrong[:600]}\n    such as {names[:2]}")
print(json.dumps(counts))
sys.exit(1 if faults else 0)
