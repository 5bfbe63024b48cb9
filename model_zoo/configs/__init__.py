"""Configurations of training: YAML files beside this module, each a line or two over another one, read strictly."""

from __future__ import annotations

from model_zoo.configs.reading import LabelDemand, TrainingConfig, list_configs, load_config

__all__ = ["LabelDemand", "TrainingConfig", "list_configs", "load_config"]
