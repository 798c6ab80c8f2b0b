"""Make flow_matching.json: points of the path, velocities and the loss by torchcfm (without its own noise, sigma 0).

Needs torch and torchcfm. Run from this folder: python make_flow_matching.py
"""

import json
from pathlib import Path

import torch
from drawn import drawn
from torchcfm.conditional_flow_matching import ConditionalFlowMatcher

torch.set_default_dtype(torch.float64)
noise, data, field = (torch.tensor(drawn(f"flow/{name}", (6, 3, 2))) for name in ("noise", "data", "field"))
time = torch.tensor([0.0, 0.1, 0.35, 0.5, 0.8, 1.0])
_, x, velocity = ConditionalFlowMatcher(sigma=0.0).sample_location_and_conditional_flow(noise, data, t=time)
values = {"noise": noise, "data": data, "field": field, "time": time, "x": x, "velocity": velocity}
values["loss"] = torch.mean((field - velocity) ** 2)
text = json.dumps({name: value.tolist() for name, value in values.items()})
Path("flow_matching.json").write_text(text + "\n")
