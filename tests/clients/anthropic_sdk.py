"""Drives the Anthropic SDK against a gateway; prints what came back as one JSON object."""

import json
import sys

import anthropic

base_url, key, _, model, _ = sys.argv[1:]
client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0, timeout=60)
found = {}


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


hello = [{"role": "user", "content": "Good morning."}]
found["text"] = text(client.messages.create(model=model, max_tokens=256, messages=hello))

with client.messages.stream(model=model, max_tokens=256, messages=hello) as stream:
    streamed = "".join(stream.text_stream)
    final = stream.get_final_message()
assert streamed == text(final), (streamed, final)
found["stream"], found["stream_usage"] = streamed, final.usage.output_tokens

schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"name": "get_weather", "description": "Tells the weather.", "input_schema": schema}]
messages = [{"role": "user", "content": "TOOL_PLEASE: what is the weather?"}]
with client.messages.stream(model=model, max_tokens=256, messages=messages, tools=tools) as stream:
    first = stream.get_final_message()
assert first.stop_reason == "tool_use", first
call = next(block for block in first.content if block.type == "tool_use")
content = [block.model_dump(include={"type", "thinking", "signature", "id", "name", "input"}) for block in first.content]
messages.append({"role": "assistant", "content": content})
result = {"type": "tool_result", "tool_use_id": call.id, "content": f"19 degrees in {call.input['city']}"}
messages.append({"role": "user", "content": [result]})
found["tool"] = text(client.messages.create(model=model, max_tokens=256, messages=messages, tools=tools))

found["tokens"] = client.messages.count_tokens(model=model, messages=hello).input_tokens
found["models"] = [model.id for model in client.models.list()]


def failure(act):
    try:
        act()
    except anthropic.APIStatusError as error:
        return f"{type(error).__name__} {error.status_code} {error.body['error']['type']}"
    return "no error"


found["unknown_model"] = failure(lambda: client.messages.create(model="no-such", max_tokens=9, messages=hello))
stranger = client.with_options(api_key="tg-nobody")
found["bad_key"] = failure(lambda: stranger.messages.create(model=model, max_tokens=9, messages=hello))

print(json.dumps(found))
