"""Tests of the policy in ordinary Python: README.md says how to run them."""

import json
import unittest

import policy
from componentize_py_types import Err
from wit_world.exports.admission import Amendment_CapOutput, Verdict_Allow, Verdict_Amend, Verdict_Deny
from wit_world.imports.request import Request


class Asked(Request):
    """A request as the gateway would show it."""

    def __init__(self, model: str, output_cap: int | None = None, budget: str | None = None):
        self._model, self._output_cap, self._budget = model, output_cap, budget

    def model(self):
        return self._model

    def output_cap(self):
        return self._output_cap

    def header(self, name):
        return self._budget if name == policy.HEADER else None


def configure(**config):
    policy.Configuration().configure(json.dumps(config))


def admit(*request):
    return policy.Admission().admit(Asked(*request))


class PolicyTest(unittest.TestCase):
    def test_a_word_in_the_name_of_the_model_denies_in_any_case(self):
        configure(denied_words=["Opus"])
        self.assertEqual(admit("some-OPUS-5").value.reason, "model-denied")
        self.assertIsInstance(admit("some-other"), Verdict_Allow)

    def test_a_budget_denies_what_is_longer_and_caps_what_names_no_length(self):
        configure(max_output_tokens=100)
        self.assertIsInstance(admit("m", 100), Verdict_Allow)
        self.assertEqual(admit("m", 101).value.reason, "answer-too-long")
        self.assertEqual(admit("m"), Verdict_Amend([Amendment_CapOutput(100)]))

    def test_a_client_may_lower_its_budget_and_never_raise_it(self):
        configure(max_output_tokens=100)
        self.assertEqual(admit("m", None, "10"), Verdict_Amend([Amendment_CapOutput(10)]))
        self.assertEqual(admit("m", None, "1000"), Verdict_Amend([Amendment_CapOutput(100)]))
        self.assertIsInstance(admit("m", 50, "10"), Verdict_Deny)

    def test_what_is_no_number_is_raised(self):
        configure()
        with self.assertRaises(ValueError):
            admit("m", None, "plenty")

    def test_a_configuration_that_makes_no_sense_is_refused_with_a_sentence(self):
        for config in ["[]", "{", '{"denied_words":"opus"}', '{"denied_words":[1]}', '{"max_output_tokens":0}',
                       '{"max_output_tokens":true}']:
            with self.subTest(config), self.assertRaises(Err) as refused:
                policy.Configuration().configure(config)
            self.assertIn(" ", refused.exception.value)


if __name__ == "__main__":
    unittest.main()
