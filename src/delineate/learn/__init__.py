"""Teaching a U-Net: the plan, the training, the learnt method and its folder."""

from delineate.learn.learnt import Learnt, Record
from delineate.learn.plan import Overrides, Plan
from delineate.learn.planning import planned
from delineate.learn.training import Step, Training
from delineate.learn.unet import UNetMethod
from delineate.learn.weak import Weak

__all__ = ["Learnt", "Overrides", "Plan", "Record", "Step", "Training", "UNetMethod", "Weak", "planned"]
