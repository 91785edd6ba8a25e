"""What the judges in Python have in common: cases that must work and cases that must be refused."""
import sys
import traceback


class Judge:
    def __init__(self, name, version):
        self.name, self.version, self.cases, self.disagreements = name, version, 0, 0

    def works(self, name, do, want=None):
        """The case must work, and give what is wanted, where something is."""
        self.cases += 1
        try:
            got = do()
            if want is not None and got != want:
                self._disagree(name, f"got {got!r:.300}, not {want!r:.300}")
        except Exception as e:
            traceback.print_exc()
            self._disagree(name, f"{type(e).__name__}: {e}")

    def refused(self, name, do, *words):
        """The case must fail, for one of the reasons."""
        self.cases += 1
        try:
            got = do()
        except Exception as e:
            if not any(w in f"{type(e).__name__}: {e}" for w in words):
                self._disagree(name, f"refused, but not with {words}: {type(e).__name__}: {e}")
            return
        self._disagree(name, f"let in: {got!r:.300}")

    def _disagree(self, name, text):
        self.disagreements += 1
        sys.stderr.flush()
        print(f"disagreement: {self.name}: {name}: " + " ".join(text.split())[:500], flush=True)

    def close(self):
        print(f"judge: {self.name} {self.version}: {self.cases} cases, {self.disagreements} disagreements", flush=True)
