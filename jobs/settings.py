"""All configuration, read once from ``AIGC_*`` variables into one frozen object."""

import base64
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 2**20
LEAST_SECRET = 16
RATE_OFF = "off"
RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")

BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?")


class Settings(BaseSettings):
    """What an operator may set; every field is the variable ``AIGC_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="AIGC_", frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Field(Path(".aigc"), description="Directory of all state in embedded mode.")
    database_url: str = Field("", description="SQLAlchemy address; empty means SQLite in the home directory.")
    redis_url: str = Field("", description="Broker address; empty means the embedded server's Unix socket.")
    key_prefix: str = Field("aigc:", description="Prefix of every key in Redis.")
    host: str = Field("127.0.0.1", description="Address the web server binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port the web server binds; 0 picks a free one.")
    allowed_hosts: str = Field("", description="Further host names the web server answers to, comma separated.")
    token: SecretStr | None = Field(None, description="Token that protects pages and API.")
    tenant: str = Field("default", description="Tenant of everything made without a token of another one.")
    web_threads: int = Field(32, ge=1, description="Threads of the web process.")
    max_upload: int = Field(2048 * MIB, ge=1, description="Largest upload, in bytes.")
    rate_submissions: str = Field(
        "",
        description="Submissions of one caller, such as 300/minute,5000/day; off for any number. "
        "Empty: off where only this machine is served, else 300/minute.",
    )
    rate_uploads: str = Field("", description="Uploads of one caller, written the same way. Empty: off or 60/minute.")
    rate_failed_logins: str = Field(
        "", description="Wrong tokens of one address, after which it must wait. Empty: off or 20/minute."
    )
    min_free_disk: int = Field(256 * MIB, ge=0, description="Free bytes below which uploads and jobs wait.")

    store_url: str = Field(
        "",
        description="Bucket of an S3-compatible store (s3://bucket/folder); empty: files lie in the home directory.",
    )
    store_endpoint: str = Field("", description="Address of that store; empty means Amazon's own.")
    store_region: str = Field("us-east-1", min_length=1, description="Region of that store.")
    store_key_id: str = Field("", description="Name of the key to it; empty means the machine's own credentials.")
    store_secret: SecretStr | None = Field(None, description="The key itself.")
    store_link_seconds: int = Field(
        0, ge=0, le=604_800,
        description="How long links to files in that store can be read; 0 sends all files through the web server.",
    )  # fmt: skip
    store_link_endpoint: str = Field("", description="Address of that store as readers reach it, if it is another.")

    log_format: Literal["text", "json"] = Field(
        "text", description="How processes write their log: lines of text, or JSON with the job's id."
    )
    trace_endpoint: str = Field(
        "", description="Collector that OpenTelemetry traces are sent to (http://host:4318); empty means none."
    )

    heartbeat_seconds: float = Field(5.0, gt=0, description="How often a worker renews its lease.")
    lease_seconds: float = Field(30.0, gt=0, description="How long a lease holds without a heartbeat.")
    reap_seconds: float = Field(2.0, gt=0, description="How often the scheduler looks for expired leases.")
    redispatch_seconds: float = Field(30.0, gt=0, description="How often an unclaimed job is announced again.")
    checkpoint_seconds: float = Field(30.0, ge=0, description="Least time between two checkpoints.")
    grace_seconds: float = Field(5.0, gt=0, description="Time a runner has to stop before it is killed.")
    stall_seconds: float = Field(600.0, gt=0, description="Time without a step after which a runner is stuck.")
    retry_seconds: float = Field(10.0, ge=0, description="Pause before the first retry; each further one is doubled.")
    retry_cap_seconds: float = Field(600.0, ge=0, description="Longest pause before a retry.")
    max_app_failures: int = Field(2, ge=0, description="Retries after a program fault.")
    max_worker_losses: int = Field(3, ge=1, description="Lost workers after which a job is quarantined.")
    max_running_per_owner: int = Field(0, ge=0, description="Jobs of one owner that run at a time in a lane; 0: any.")
    aging_seconds: float = Field(600.0, gt=0, description="Waiting time that makes up for one level of priority.")
    try_unfit_seconds: float = Field(
        600.0, ge=0,
        description="Waiting time after which a job whose reckoned memory no GPU has is tried on the largest one; "
        "0: never.",
    )  # fmt: skip
    retain_jobs_days: int = Field(0, ge=0, description="Days a finished job is kept with its files; 0 for ever.")
    retain_samples_days: int = Field(0, ge=0, description="Days samples of finished jobs are kept; 0 for ever.")
    retain_events_days: int = Field(0, ge=0, description="Days the log of a finished job is kept; 0 for ever.")
    keep_checkpoints_days: int = Field(
        30, ge=0, description="Days the checkpoints of failed and cancelled jobs are kept; 0 for ever."
    )
    webhook_hosts: str = Field("", description="Hosts webhooks may go to, comma separated; empty means none.")
    webhook_allow_private: str = Field("", description="Receivers (host:port) that may lie inside, comma separated.")
    webhook_secret: SecretStr | None = Field(None, description="Secret webhooks are signed with; made if not given.")

    dataset_hosts: str = Field("", description="Hosts datasets may be fetched from, comma separated; empty means none.")
    dataset_allow_private: str = Field(
        "", description="Of these, those (host:port) that may lie inside, comma separated."
    )

    pretrained: Path | None = Field(
        None, description="Directory of pretrained language models that workers read; none is used without it."
    )
    warm_models: int = Field(2048 * MIB, ge=0, description="Bytes of models that a generation slot keeps loaded.")
    price_per_kwh: float = Field(0.0, ge=0, description="Price of a kilowatt hour of electricity; 0 shows no cost.")
    currency: str = Field("EUR", max_length=8, description="Currency of that price.")
    core_watts: float = Field(
        8.0, gt=0, description="Power that a busy core is taken to draw, where the processor has no meter."
    )
    gpu_memory_share: float = Field(
        1.0, gt=0, le=1, description="Share of a GPU's memory that one slot may take, where others use the card, too."
    )
    runner_jobs: int = Field(500, ge=1, description="Generations after which a warm runner is replaced.")
    shared_jobs: int = Field(
        64, ge=1, description="Items of small generations on one model that one call may hold; 1 runs each by itself."
    )
    cpu_threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, description="Threads a runner computes with."
    )

    @field_validator("webhook_secret")
    @classmethod
    def _strong(cls, given: SecretStr | None) -> SecretStr | None:
        """Refuse at the start what could not be signed with, or be guessed; an empty variable is none."""
        if given is None or not given.get_secret_value():
            return None
        for secret in given.get_secret_value().split(","):
            coded = secret.strip().removeprefix("whsec_")
            try:
                size = len(base64.b64decode(coded, validate=True) if coded != secret.strip() else coded)
            except ValueError:
                raise ValueError("what follows whsec_ is not base64") from None
            if size < LEAST_SECRET:
                raise ValueError(f"a secret must have at least {LEAST_SECRET} bytes")
        return given

    @field_validator("store_url")
    @classmethod
    def _bucket(cls, given: str) -> str:
        """Refuse at the start what names no bucket."""
        if given and not BUCKET.fullmatch(given):
            raise ValueError("write s3://bucket or s3://bucket/folder")
        return given

    @field_validator("rate_submissions", "rate_uploads", "rate_failed_logins")
    @classmethod
    def _readable(cls, given: str) -> str:
        """Refuse at the start what is no rate."""
        parts = [part.strip().lower() for part in given.split(",") if part.strip()]
        if parts != [RATE_OFF] and not all(RATE.fullmatch(part) for part in parts):
            raise ValueError("write a number per second, minute, hour or day, such as 300/minute, or off")
        return ",".join(parts)

    @property
    def sql_url(self) -> str:
        """The database's address, with the embedded default filled in."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'aigc.db'}"

    @property
    def redis_socket(self) -> Path:
        """Unix socket of the embedded broker."""
        return self.home.resolve() / "run" / "valkey.sock"

    @property
    def broker_url(self) -> str:
        """The broker's address as Celery wants it."""
        return self.redis_url or f"redis+socket://{self.redis_socket}"

    @property
    def artifacts(self) -> Path:
        """Root of the local artifact store."""
        return self.home.resolve() / "artifacts"

    @cached_property
    def staging(self) -> Path:
        """Root of the attempts' working directories, on the same file system as the store."""
        return self.home.resolve() / "staging"

    @property
    def cache(self) -> Path:
        """Root of what can be made again: materialised inputs."""
        return self.home.resolve() / "cache"
