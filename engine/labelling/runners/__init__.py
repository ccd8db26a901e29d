"""Runners: who carries out a label job. `base.Runner` is the protocol, `choose.choose_runner` the choice."""
