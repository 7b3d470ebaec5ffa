package diskspace

import "testing"

func TestFree(t *testing.T) {
	n, err := Free(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	if n <= 0 {
		t.Errorf("Free = %d, want more than nothing", n)
	}
	if _, err := Free("no such directory"); err == nil {
		t.Error("a directory that is not there has room")
	}
}
