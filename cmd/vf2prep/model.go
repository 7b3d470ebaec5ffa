package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/train"
)

func (e *env) modelCommand() *cli.Command {
	return &cli.Command{
		Name:  "model",
		Usage: "describe the networks that train knows",
		Subcommands: []*cli.Command{
			{
				Name:  "summary",
				Usage: "print a network's layers, shapes, parameters and FLOPs, and draw it",
				Description: `Nothing is trained or read. FLOPs are for one sample, two for each multiply-add of convolutions
and fully connected layers; everything else counts nothing.

Examples:
  vf2prep model summary --arch seed-resnet
  vf2prep model summary --arch seed-resnet-relu --size 112x112 --classes 480 --svg model.svg
  vf2prep model summary --arch seed-resnet --json`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "arch", Value: "seed-resnet-relu", Usage: "network: see model list"},
					&cli.StringFlag{Name: "size", Usage: "input `HEIGHTxWIDTH` in pixels", DefaultText: "the size it was published with"},
					&cli.IntFlag{Name: "channels", Value: 3, Usage: "of the input"},
					&cli.IntFlag{Name: "classes", Value: 8631, Usage: "identities to tell apart; VGGFace2 trains on 8631"},
					&cli.StringFlag{Name: "svg", Usage: "draw the network to `FILE`"},
				},
				Action: e.modelSummary,
			},
			{
				Name:  "export",
				Usage: "write a trained network for other programs, as ONNX",
				Description: `The file holds the network and the weights that eval would use. Its input is "x" [N, C, H, W], any N;
its outputs are "embedding" and one for each head, such as "identity", before softmax. How an
image becomes x stands in its metadata. Weights for PyTorch need no export: best.safetensors has
torchvision's names.

Examples:
  vf2prep model export --run runs/first --onnx first.onnx`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "run", Usage: "run `DIR` that train wrote", Required: true},
					&cli.StringFlag{Name: "onnx", Usage: "write `FILE`", Required: true},
				},
				Action: e.modelExport,
			},
			{
				Name:  "list",
				Usage: "list the networks",
				Description: `Examples:
  vf2prep model list`,
				Action: e.modelList,
			},
		},
	}
}

func (e *env) modelSummary(c *cli.Context) error {
	height, width, err := nn.ParseSize(c.String("arch"), c.String("size"))
	if err != nil {
		return usage("--size: %w", err)
	}
	s, err := nn.Summarize(nn.Config{
		Arch: c.String("arch"), Channels: c.Int("channels"), Height: height, Width: width,
		Classes: c.Int("classes"), Batch: 1,
	})
	if err != nil {
		return usage("%w", err)
	}
	if path := c.String("svg"); path != "" {
		if err := atomicfile.Write(path, s.DrawSVG); err != nil {
			return err
		}
	}
	return e.result(c, s, func(w io.Writer) { s.WriteText(w) })
}

func (e *env) modelExport(c *cli.Context) error {
	p, err := train.OpenRun(c.String("run"), 1)
	if err != nil {
		return err
	}
	defer p.Close()
	path := c.String("onnx")
	if err := atomicfile.Write(path, p.WriteONNX); err != nil {
		return err
	}
	r := map[string]any{"onnx": path, "weights": p.Digest(), "embedding": p.Width()}
	return e.result(c, r, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s, embedding of %d numbers\n", path, p.Record().Config.Arch, p.Width())
	})
}

func (e *env) modelList(c *cli.Context) error {
	type network struct {
		Arch        string `json:"arch"`
		Height      int    `json:"height"`
		Width       int    `json:"width"`
		Description string `json:"description"`
	}
	var all []network
	for _, a := range nn.Archs() {
		all = append(all, network{a.Name, a.Height, a.Width, a.Description})
	}
	return e.result(c, map[string]any{"networks": all}, func(w io.Writer) {
		for _, a := range all {
			fmt.Fprintf(w, "%-18s %dx%d  %s\n", a.Arch, a.Height, a.Width, a.Description)
		}
	})
}
