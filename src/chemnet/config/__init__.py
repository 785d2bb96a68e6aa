"""Configuration: every key has a default, a comment and a type; the merged result is immutable."""

from chemnet.config.config_dict import ConfigDict
from chemnet.config.manager import ConfigManager, load_config, load_result_config
from chemnet.config.schema import KeySpec, Schema

__all__ = ["ConfigDict", "ConfigManager", "KeySpec", "Schema", "load_config", "load_result_config"]
