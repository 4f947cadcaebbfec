"""The configuration: models, loading, and messages that say what to do."""

from bridge.config.errors import ConfigError, Problem, one_line
from bridge.config.files import (
    check_files,
    check_hsm_files,
    check_state_dir,
    check_vcenter_files,
)
from bridge.config.load import load, parse
from bridge.config.models import (
    BridgeConfig,
    FeedConfig,
    HostFilter,
    HsmConfig,
    LogConfig,
    StatusConfig,
    VCenterConfig,
)
from bridge.config.schema import effective, json_schema, toml_text

__all__ = [
    "BridgeConfig",
    "ConfigError",
    "FeedConfig",
    "HostFilter",
    "HsmConfig",
    "LogConfig",
    "Problem",
    "StatusConfig",
    "VCenterConfig",
    "check_files",
    "check_hsm_files",
    "check_state_dir",
    "check_vcenter_files",
    "effective",
    "json_schema",
    "load",
    "one_line",
    "parse",
    "toml_text",
]
