"""Somebody is told when a backup fails or does not come, once, and when all is well again."""

from __future__ import annotations

from typing import Any

from support.plain import LOCAL, PlainApp
from support.playbook import Ended, run_module, run_playbook
from support.webhook import webhook


def test_backups_and_their_absence_are_told_of(tmp_path):
    app = PlainApp.make(tmp_path)
    dead = "json://127.0.0.1:9/nobody"
    with webhook() as hook:
        variables = app.variables(deploy_notify_urls=[hook.url, dead])

        def play(playbook: str, **more: Any) -> Ended:
            done = run_playbook(playbook, {"web1": LOCAL}, {**variables, **more})
            assert "s3cret-of-the-hook" not in done.output
            return done

        missing = play("backup_watch.yml")
        assert missing.rc != 0 and "There is no backup at all." in missing.last(), missing.output
        assert hook.titles() == ["The backup of plain is MISSING"]
        done = play("backup.yml")
        assert done.rc == 0, done.output
        assert "could not be sent to json://127.0.0.1:9/nobody" in " ".join(done.output.split())
        assert hook.titles() == ["The backup of plain is well again"]
        assert play("backup.yml").rc == play("backup_watch.yml").rc == 0
        assert hook.titles() == []
        broken = {"deploy_db_database": str(tmp_path / "none.sqlite")}
        failed = play("backup.yml", **broken)
        assert failed.rc != 0 and "There is no SQLite database at" in failed.last(), failed.output
        told = hook.messages[0]
        assert told["title"] == "The backup of plain FAILED" and "There is no SQLite database at" in told["message"]
        hook.messages.clear()
        assert play("backup.yml", **broken).rc != 0
        assert hook.titles() == []
        hook.status = 500
        well = play("backup.yml")
        assert well.rc == 0 and "NOBODY WAS TOLD" in well.output, well.output
        hook.status = 200
        assert play("backup.yml").rc == 0
        assert hook.titles() == ["The backup of plain is well again"], "what nobody took is tried again"
        assert play("restore_drill.yml").rc == 0
        assert hook.titles() == ["The restore drill of plain is well"]
        late = play("restore_drill.yml", deploy_drill_rpo="1s")
        assert late.rc != 0 and hook.titles() == ["The restore drill of plain FAILED"], late.output


def test_a_url_that_apprise_does_not_know_is_refused_without_showing_it(tmp_path):
    options = {"subject": "x", "status": "ok", "message": "m", "state_dir": str(tmp_path)}
    answer, output = run_module("notify", {"urls": ["nonsense://s3cret"], **options}, "-vvv")
    assert "Number 1 of the urls is none that Apprise knows" in answer["msg"]
    assert "s3cret" not in output
    with webhook() as hook:
        predicted, _ = run_module("notify", {"urls": [hook.url], **options}, "--check")
        assert predicted["kind"] == "success" and hook.messages == [] and not list(tmp_path.iterdir())
