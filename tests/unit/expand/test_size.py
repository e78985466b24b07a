from __future__ import annotations

import time

from drctl.engine.graph import build

SECONDS = 6.0  # about one on an idle machine; the bound is for a busy one


def test_two_thousand_steps_load_expand_and_sort_quickly(language):
    steps = "".join(
        f"- {{id: s{n}, title: 'Step {n} of {{{{ target.title }}}}', uses: ontap.volume.mount, on: ontap-south, "
        f"with: {{svm: '{{{{ services.app.title }}}}s{n}', volume: v{n}, junction: /v{n}}}, timeout: 5m}}\n"
        for n in range(2000)
    )
    start = time.process_time()
    expansion = language.expand(language.steps(steps))
    graph = build(expansion.steps)
    spent = time.process_time() - start
    assert len(graph.order) == 2000
    assert len(graph.ancestors("s1999")) == 1999
    assert spent < SECONDS


def test_waves_of_many_items_stay_quick(language):
    rest = """\
    parameters: {names: {type: list}}
    phases:
      - name: One
        steps:
          - {id: a, for_each: params.names, gate: {ask: x}}
          - {id: b, for_each: params.names, steps: [{id: c, gate: {ask: x}}, {id: d, gate: {ask: x}}]}
          - {id: e, for_each: params.names, gate: {ask: x}}
    """
    names = [f"n{number}" for number in range(500)]
    start = time.process_time()
    graph = build(language.expand(language.runbook(rest), params={"names": names}).steps)
    assert len(graph.ready({f"a[{name}]" for name in names})) == 500
    assert time.process_time() - start < SECONDS
