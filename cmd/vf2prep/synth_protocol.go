package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/synth"
)

// evalProtocol is how eval templates measures the files of a synthetic set.
var evalProtocol = map[string]string{
	"ijba":               "--protocol ijba-compare --meta %[1]s",
	"ijbb":               "--protocol ijbb-1:1 --meta %[1]s",
	"ijbc":               "--protocol ijbc-1:1 --meta %[1]s",
	"vggface2-templates": "--protocol vggface2-templates --meta %[1]s/meta/test_posetemp_imglist.txt",
}

func (e *env) synthProtocol(c *cli.Context) error {
	res, err := synth.RunProtocol(synth.ProtocolOptions{
		Protocol: c.String("protocol"), Out: c.String("out"), Subjects: c.Int("identities"),
		Width: c.Int("width"), Missing: c.Float64("missing"), Seed: c.Uint64("seed"), Force: c.Bool("force"),
	})
	if errors.Is(err, synth.ErrOptions) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if err := e.result(c, res, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s, %d subjects, %d templates, %d faces, %d embeddings\n", res.Out, res.Protocol, res.Subjects, res.Templates, res.Faces, res.Embeddings)
	}); err != nil {
		return err
	}
	e.hint(c, "run \"vf2prep eval templates "+evalProtocol[res.Protocol]+" --embeddings %[1]s/embeddings.npy --out %[1]s-result\"", res.Out)
	return nil
}
