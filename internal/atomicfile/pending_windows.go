package atomicfile

import (
	"os"
	"path/filepath"
)

// pending is what renameio gives elsewhere; renameio leaves Windows out because a rename there
// is not atomic under every condition, but a half file still never gets the final name.
type pending struct {
	*os.File
	final string
	done  bool
}

func newPending(path string) (*pending, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return nil, err
	}
	return &pending{File: f, final: path}, nil
}

func (p *pending) CloseAtomicallyReplace() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.final); err != nil {
		return err
	}
	p.done = true
	return nil
}

func (p *pending) Cleanup() error {
	if p.done {
		return nil
	}
	p.Close()
	return os.Remove(p.Name())
}

// removeAbandoned removes a temporary file that nobody is writing: Windows refuses to remove one
// that is open.
func removeAbandoned(path string) { _ = os.Remove(path) }
