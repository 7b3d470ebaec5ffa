package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/eval"
)

func (e *env) evalTemplatesCommand() *cli.Command {
	return &cli.Command{
		Name:  "templates",
		Usage: "compare and search sets of images: IJB-A, IJB-B, IJB-C, VGGFace2's pose and age lists",
		Description: `A template is a set of images and video frames of one subject that are compared as one. The
protocol's own files say which, and a file of embeddings of any system, written by vf2prep embed or
by NumPy, has a vector for each image. Every number is defined in docs/evaluation.md.

  --protocol          --meta                              measures
  ijba-compare        DIR with IJB-A_11_sets/splitN/      1:1, TAR at FAR over ten splits
  ijba-search         DIR with IJB-A_1N_sets/splitN/      1:N, rank 1, 5, 10 and TPIR at FPIR
  ijbb-1:1, ijbc-1:1  DIR with *_face_tid_mid.txt,
                      *_template_pair_label.txt           1:1, TAR at FAR
  ijbb-1:n, ijbc-1:n  DIR with *_1N_gallery_S1.csv, S2,
                      *_1N_probe_mixed.csv                1:N, mean over both galleries
  vggface2-templates  test_posetemp_imglist.txt or
                      test_agetemp_imglist.txt            cosine by pose or by age
  vggface2-identify   test_list.txt, or nothing: all      rank 1 and 5 of --test-images each

The key of an embedding is the image as the protocol's files name it, with or without its
extension. Where a file shows several subjects, its faces are left out, unless --key-with sighting
says that keys are FILE#SIGHTING_ID (the file alone is still found where it shows one subject).

Examples:
  vf2prep eval templates --protocol ijba-compare --meta IJB-A/ --embeddings ijba.npy --out ijba-result
  vf2prep eval templates --protocol ijbc-1:n --meta IJBC/meta --embeddings ijbc.npy --out ijbc-result
  vf2prep eval templates --protocol vggface2-templates --meta test_agetemp_imglist.txt \
      --embeddings test.npy --out age-result --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "protocol", Usage: "`NAME`: " + strings.Join(eval.TemplateProtocols, ", "), Required: true},
			&cli.StringFlag{Name: "meta", Usage: "`DIR` of the protocol's files; of VGGFace2's protocols the list itself"},
			&cli.StringFlag{Name: "embeddings", Usage: "`FILE` of embeddings: .npy with its keys beside it, or .safetensors", Required: true},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for result and report", Required: true},
			&cli.StringFlag{Name: "pool", Value: string(eval.PoolMedia), Usage: "media: mean within a medium, sum over the media; unit-media: with each mean made length 1; mean: of all images"},
			&cli.StringFlag{Name: "key-with", Value: "file", Usage: "file: keys are the protocol's files; sighting: FILE#SIGHTING_ID"},
			&cli.IntFlag{Name: "test-images", Value: 50, Usage: "vggface2-identify: images of each identity that are named; the others enrol it"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "vggface2-identify: which images are named"},
			excludeFlag(),
			&cli.IntFlag{Name: "max-left-out", Value: -1, Usage: "fail (exit 3) when more pairs, searches or identities than this can't be judged; -1: any number is fine"},
		},
		Action: e.evalTemplates,
	}
}

func (e *env) evalTemplates(c *cli.Context) error {
	protocol, keyWith := c.String("protocol"), c.String("key-with")
	pool := eval.Pooling(c.String("pool"))
	switch {
	case !slices.Contains(eval.TemplateProtocols, protocol):
		return usage("--protocol: no %q, want one of %s", protocol, strings.Join(eval.TemplateProtocols, ", "))
	case c.String("meta") == "" && protocol != eval.ProtocolVGGFace2Enrol:
		return usage("eval templates: --meta is missing, the protocol's own files")
	case !slices.Contains(eval.Poolings, pool):
		return usage("--pool: %q, want media, unit-media or mean", pool)
	case keyWith != "file" && keyWith != "sighting":
		return usage("--key-with: %q, want file or sighting", keyWith)
	case c.Int("test-images") < 1:
		return usage("--test-images: %d, want at least 1", c.Int("test-images"))
	}
	embeddings, err := eval.OpenEmbeddings(c.String("embeddings"))
	if err != nil {
		return err
	}
	var exclude []string
	if path := c.String("exclude"); path != "" {
		if exclude, err = eval.OpenIdentityList(path); err != nil {
			return err
		}
	}
	r, err := eval.Templates(c.Context, eval.TemplateOptions{
		Protocol: protocol, Meta: c.String("meta"), Embeddings: embeddings, Pooling: pool, KeyWith: keyWith,
		Exclude: exclude, TestImages: c.Int("test-images"), Seed: c.Uint64("seed"), Out: c.String("out"), Progress: e.progress(c),
	})
	if err != nil {
		return err
	}
	if err := e.result(c, r, r.Print); err != nil {
		return err
	}
	if n, of, what := r.LeftOut(); c.Int("max-left-out") >= 0 && n > c.Int("max-left-out") {
		return incomplete("%d of %d %s were left out, at most %d may: see %s", n, of, what, c.Int("max-left-out"), filepath.Join(c.String("out"), "skipped.csv"))
	}
	return nil
}
