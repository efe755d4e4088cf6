"""A policy to start from: keeps dear models and long answers out.

Configuration, every member optional:

    {"denied_words": ["opus", "-pro"], "max_output_tokens": 4096}

A model whose name contains one of the words is denied, in upper or lower case. A request that asks for a longer answer is
denied, and one that names no length is capped. A client may lower the budget of one request with the header
`x-output-budget`.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.admission import (
    Amendment_CapOutput,
    Verdict,
    Verdict_Allow,
    Verdict_Amend,
    Verdict_Deny,
)
from wit_world.imports.request import Request
from wit_world.imports.verdicts import Denial

HEADER = "x-output-budget"

denied_words: list[str] = []
max_output_tokens: int | None = None


class Configuration(exports.Configuration):
    # Called once on each fresh instance. The sentence in an `Err` goes to the operator who typed the configuration.
    def configure(self, config: str) -> None:
        global denied_words, max_output_tokens
        try:
            given = json.loads(config)
        except ValueError as why:
            raise Err(f"the configuration is not JSON: {why}")
        if not isinstance(given, dict):
            raise Err("the configuration must be an object")
        words = given.get("denied_words", [])
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise Err("`denied_words` must be a list of words")
        budget = given.get("max_output_tokens")
        if budget is not None and (type(budget) is not int or budget < 1):
            raise Err("`max_output_tokens` must be a whole number above 0")
        denied_words = [word.lower() for word in words]
        max_output_tokens = budget


class Admission(exports.Admission):
    # A policy may only narrow: deny, lower a cap, set a parameter, tag. Whatever it raises denies the request, too.
    def admit(self, request: Request) -> Verdict:
        model = request.model().lower()
        for word in denied_words:
            if word in model:
                # Standard output is the gateway's log, line by line.
                print(f"denied a model with `{word}` in its name")
                return deny("model-denied", f"Models with `{word}` in their name are not for this account.")
        budget = budget_of(request)
        asked = request.output_cap()
        if budget is None or (asked is not None and asked <= budget):
            return Verdict_Allow()
        if asked is None:
            return Verdict_Amend([Amendment_CapOutput(budget)])
        return deny("answer-too-long", f"Please ask for at most {budget} tokens; this request asks for {asked}.")


def budget_of(request: Request) -> int | None:
    header = request.header(HEADER)
    if header is None:
        return max_output_tokens
    # What is no number raises a ValueError that nobody catches. The client is told which policy failed, the log has the
    # traceback.
    budget = int(header)
    return budget if max_output_tokens is None else min(budget, max_output_tokens)


def deny(reason: str, message: str) -> Verdict:
    return Verdict_Deny(Denial(reason=reason, message=message, extensions=[]))
