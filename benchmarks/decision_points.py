"""Policy engines as a decision point for the same question, from facts that are already loaded.

Each is asked: may this contact get a free-form message now? All know the end of the contact's open
window, as a number, and answer allowed or not, without a reason. The extra ``bench`` has them;
those that are not installed are named and left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

Ask = Callable[[str, int], bool]
Loads = Callable[[Mapping[str, int]], Ask]


def cedar(ends: Mapping[str, int]) -> Ask:
    """cedarpy: the policy parsed once, the facts in the request's context."""
    import cedarpy

    policy = cedarpy.PolicySet.from_str(
        'permit(principal, action == Action::"send", resource)'
        " when { context.now < context.closes };"
    )
    none = cedarpy.Entities.from_json_str("[]")

    def ask(contact: str, now: int) -> bool:
        request = {
            "principal": 'Number::"business"',
            "action": 'Action::"send"',
            "resource": f'Contact::"{contact}"',
            "context": {"now": now, "closes": ends.get(contact, 0)},
        }
        return bool(cedarpy.is_authorized(request, policy, none).allowed)

    return ask


def casbin(ends: Mapping[str, int]) -> Ask:
    """pycasbin: attributes of the request, one matcher."""
    from casbin import Enforcer, Model

    model = Model()
    model.load_model_from_text(
        "[request_definition]\nr = sub, obj, now\n[policy_definition]\np = act\n"
        "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.now < r.obj.closes\n"
    )
    enforcer = Enforcer(model)
    enforcer.add_policy("send")

    class Contact:
        __slots__ = ("closes",)

        def __init__(self, closes: int) -> None:
            self.closes = closes

    known = {contact: Contact(closes) for contact, closes in ends.items()}

    def ask(contact: str, now: int) -> bool:
        return bool(enforcer.enforce("business", known[contact], now))

    return ask


def opa(ends: Mapping[str, int]) -> Ask:
    """A bundle of Rego through regopy; the facts of all contacts are its data."""
    import regopy

    rego = regopy.Interpreter()
    rego.add_module(
        "send.rego",
        "package send\nimport rego.v1\ndefault allow := false\n"
        "allow if { input.now < data.closes[input.contact] }\n",
    )
    rego.add_data({"closes": dict(ends)})
    bundle = rego.build("x = data.send.allow", [])

    def ask(contact: str, now: int) -> bool:
        rego.set_input({"contact": contact, "now": now})
        answer = json.loads(str(rego.query_bundle(bundle)))
        return bool(answer["bindings"]["x"])

    return ask


ENGINES: Mapping[str, Loads] = {
    "cedarpy": cedar,
    "pycasbin": casbin,
    "OPA bundle (regopy)": opa,
}
