"""Drives the OpenAI or the Anthropic SDK against a gateway; prints what came back as one JSON object.

The findings have the same names as those of `vercel_ai_sdk.mjs`: one table of the tests says what they must be.
"""

import json
import sys

base_url, key, dialect, model, other, image = sys.argv[1:]
HELLO, ROUNDS = "Good morning.", "ROUNDS_PLEASE: what is the weather?"
NEXT = "And now?"
IMAGE, OBJECT = "IMAGE_PLEASE: what do you see?", "The weather, as an object."
DATA_URL = f"data:image/png;base64,{image}"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
found = {}


def weather(arguments):
    return f"19 degrees in {arguments['city']}"


class Chat:
    """Chat completions with the SDK of OpenAI."""

    def __init__(self):
        import openai

        client = openai.OpenAI(base_url=base_url + "/v1", api_key=key, max_retries=0, timeout=60)
        self.api, self.failures = client.chat.completions, openai.APIError
        self.tools = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}]

    def ask(self, messages, tools=()):
        more = {"tools": self.tools} if tools else {}
        return self.api.create(model=client.model, messages=messages, **more)

    def ask_streaming(self, messages, tools=()):
        more = {"tools": self.tools} if tools else {}
        with self.api.stream(model=client.model, messages=messages, **more) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion()

    def said(self, text):
        return [{"role": "user", "content": text}]

    def text(self, answer):
        return answer.choices[0].message.content

    def usage(self, answer):
        return answer.usage.completion_tokens

    def calls(self, answer):
        return answer.choices[0].message.tool_calls or []

    def go_on(self, messages, answer):
        message = answer.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in message.get("tool_calls", []):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": weather(json.loads(call.function.arguments))}
            for call in self.calls(answer)
        ]
        return messages + [message] + results

    def object(self, kind):
        answer = self.api.parse(model=client.model, messages=self.said(OBJECT), response_format=kind)
        return answer.choices[0].message.parsed

    def image(self):
        parts = [{"type": "text", "text": IMAGE}, {"type": "image_url", "image_url": {"url": DATA_URL}}]
        return self.text(self.ask([{"role": "user", "content": parts}]))

    def pieces(self, text):
        stream = self.api.create(model=client.model, messages=self.said(text), stream=True)
        with stream:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


class Responses:
    """Responses with the SDK of OpenAI."""

    def __init__(self):
        import openai

        client = openai.OpenAI(base_url=base_url + "/v1", api_key=key, max_retries=0, timeout=60)
        self.api, self.failures = client.responses, openai.APIError
        self.tools = [{"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}]

    def more(self, tools):
        reasoning = {"effort": "medium", "summary": "auto"}
        include = ["reasoning.encrypted_content"]
        return {"store": False, "include": include, "reasoning": reasoning, "tools": self.tools} if tools else {}

    def ask(self, items, tools=()):
        return self.api.create(model=client.model, input=items, **self.more(tools))

    def ask_streaming(self, items, tools=()):
        with self.api.stream(model=client.model, input=items, **self.more(tools)) as stream:
            return stream.get_final_response()

    def said(self, text):
        return [{"role": "user", "content": text}]

    def text(self, answer):
        return answer.output_text

    def usage(self, answer):
        return answer.usage.output_tokens

    def calls(self, answer):
        return [item for item in answer.output if item.type == "function_call"]

    def go_on(self, items, answer):
        output = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
        results = [
            {"type": "function_call_output", "call_id": call.call_id, "output": weather(json.loads(call.arguments))}
            for call in self.calls(answer)
        ]
        return items + output + results

    def object(self, kind):
        return self.api.parse(model=client.model, input=OBJECT, text_format=kind).output_parsed

    def image(self):
        parts = [{"type": "input_text", "text": IMAGE}, {"type": "input_image", "image_url": DATA_URL, "detail": "auto"}]
        return self.text(self.ask([{"role": "user", "content": parts}]))

    def pieces(self, text):
        with self.api.create(model=client.model, input=text, stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    yield event.delta
                if event.type == "response.failed":
                    # The SDK raises nothing here: it is for the caller to look.
                    raise Failed(f"{event.type} {event.response.error.code}: {event.response.error.message}")


class Messages:
    """Messages with the SDK of Anthropic."""

    def __init__(self):
        import anthropic

        client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0, timeout=60)
        self.api, self.failures = client.messages, anthropic.APIError
        self.tools = [{"name": "get_weather", "input_schema": WEATHER}]

    def more(self, tools):
        thinking = {"type": "enabled", "budget_tokens": 1024}
        return {"max_tokens": 4096, "thinking": thinking, "tools": self.tools} if tools else {"max_tokens": 4096}

    def ask(self, messages, tools=()):
        return self.api.create(model=client.model, messages=messages, **self.more(tools))

    def ask_streaming(self, messages, tools=()):
        with self.api.stream(model=client.model, messages=messages, **self.more(tools)) as stream:
            return stream.get_final_message()

    def said(self, text):
        return [{"role": "user", "content": text}]

    def text(self, answer):
        return "".join(block.text for block in answer.content if block.type == "text")

    def usage(self, answer):
        return answer.usage.output_tokens

    def calls(self, answer):
        return [block for block in answer.content if block.type == "tool_use"]

    def go_on(self, messages, answer):
        wanted = {"type", "text", "thinking", "signature", "data", "id", "name", "input"}
        content = [block.model_dump(include=wanted) for block in answer.content]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": weather(call.input)}
            for call in self.calls(answer)
        ]
        results = [{"role": "user", "content": results}] if results else []
        return messages + [{"role": "assistant", "content": content}] + results

    def object(self, kind):
        return self.api.parse(model=client.model, messages=self.said(OBJECT), max_tokens=4096, output_format=kind).parsed_output

    def image(self):
        source = {"type": "base64", "media_type": "image/png", "data": image}
        parts = [{"type": "text", "text": IMAGE}, {"type": "image", "source": source}]
        return self.text(self.ask([{"role": "user", "content": parts}]))

    def pieces(self, text):
        with self.api.stream(model=client.model, messages=self.said(text), max_tokens=4096) as stream:
            yield from stream.text_stream


class Failed(Exception):
    """A failure that an SDK only tells."""


client = {"chat-completions": Chat, "responses": Responses, "messages": Messages}[dialect]()
client.model = model

answer = client.ask(client.said(HELLO))
found["text"], found["usage"] = client.text(answer), client.usage(answer)

pieces = list(client.pieces(HELLO))
found["stream"], found["streamed"] = "".join(pieces), len(pieces) > 1


def rounds(ask, text=ROUNDS):
    conversation, calls = client.said(text), []
    while True:
        answer = ask(conversation, tools=True)
        calls.append(len(client.calls(answer)))
        conversation = client.go_on(conversation, answer)
        if not calls[-1] or len(calls) > 5:
            return client.text(answer), calls, conversation


found["rounds"], found["calls"], before = rounds(client.ask)
# The next turn, with all that was before it.
found["next"] = client.text(client.ask(before + client.said(NEXT), tools=True))
found["stream_rounds"], _, _ = rounds(client.ask_streaming)


def ask_then_switch(conversation, tools):
    """The first turn with the model, the others with another vendor's."""
    try:
        return client.ask(conversation, tools)
    finally:
        client.model = other


found["switched"], _, _ = rounds(ask_then_switch, ROUNDS + " SWITCHED")
client.model = model

from pydantic import BaseModel  # noqa: E402  (comes with either SDK)


class Report(BaseModel):
    city: str
    degrees: int


found["object"] = client.object(Report).model_dump()
found["image"] = client.image()


def failure(text):
    heard = ""
    try:
        for piece in client.pieces(text):
            heard += piece
    except (Failed, client.failures) as error:
        said = f"{type(error).__name__}: {error}"
        return said if heard else f"nothing was heard before {said}"
    return "no error"


found["broken"] = failure("BREAK_PLEASE")
found["overloaded"] = failure("OVERLOAD_PLEASE")

talk = client.pieces("HANG_PLEASE")
next(talk)
talk.close()
found["aborted"] = "abort"
# The vendor answers this once it has noticed that the other one was left.
found["left"] = client.text(client.ask(client.said("LEFT_PLEASE")))

print(json.dumps(found))
