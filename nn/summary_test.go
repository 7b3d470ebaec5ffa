package nn

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// The figures are counted by hand from the network's description.
func TestSummary(t *testing.T) {
	s, err := Summarize(Config{Arch: "seed-resnet", Channels: 3, Height: 190, Width: 170, Classes: 8631, Batch: 4})
	if err != nil {
		t.Fatal(err)
	}
	conv := func(in, out, pixels int64) (params, macs int64) {
		return out*in*9 + out, out * in * 9 * pixels
	}
	const full, half, quarter = 190 * 170, 95 * 85, 48 * 43
	var params, macs int64
	for _, c := range [][3]int64{
		{3, 16, full},
		{16, 16, full}, {16, 16, half}, {16, 16, half}, // layer1.0: conv1, conv2 with the stride, shortcut
		{16, 16, half}, {16, 16, half}, // layer1.1
		{16, 32, half}, {32, 32, quarter}, {16, 32, quarter}, // layer2.0
		{32, 32, quarter}, {32, 32, quarter}, // layer2.1
	} {
		p, m := conv(c[0], c[1], c[2])
		params, macs = params+p, macs+m
	}
	const features = 32 * 6 * 6 // 48 x 43 pooled by 7
	params += 8631*features + 8631
	macs += 8631 * features
	if params != 10_000_615 {
		t.Fatalf("the count by hand gives %d", params)
	}
	if s.Parameters != params || s.FLOPs != 2*macs || s.Embedding != features {
		t.Errorf("%d parameters, %d FLOPs, embedding of %d, want %d, %d, %d", s.Parameters, s.FLOPs, s.Embedding, params, 2*macs, features)
	}
	shapes := map[string]string{
		"input": "3x190x170", "conv1": "16x190x170", "layer1.0.conv1": "16x190x170", "layer1.0.conv2": "16x95x85",
		"layer1.0.downsample.0": "16x95x85", "layer2.1.add": "32x48x43", "avgpool": "32x6x6", "flatten": "1152", "fc": "8631", "softmax": "8631",
	}
	for _, l := range s.Layers {
		if want, ok := shapes[l.Name]; ok && Shape(l.Output) != want {
			t.Errorf("output of %s = %s, want %s", l.Name, Shape(l.Output), want)
		}
		delete(shapes, l.Name)
	}
	for name := range shapes {
		t.Errorf("no layer %s", name)
	}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10,000,615 parameters", "layer1.0.downsample.0", "3x3, stride 2, ReLU", "embedding of 1152"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, text.String())
		}
	}
}

// What Summarize says without building must be what is built.
func TestSummaryIsWhatIsBuilt(t *testing.T) {
	for _, a := range Archs() {
		n := small(t, func(c *Config) { c.Arch, c.Height, c.Width = a.Name, 41, 36 })
		var count int64
		for _, p := range n.Params() {
			count += int64(len(p.Data))
		}
		s := n.Summary()
		if s.Parameters != count || s.Embedding != n.EmbeddingWidth() {
			t.Errorf("%s: %d parameters and embedding of %d, want %d and %d", a.Name, s.Parameters, s.Embedding, count, n.EmbeddingWidth())
		}
	}
}

func TestDrawSVG(t *testing.T) {
	n := small(t, func(c *Config) { c.Arch = "seed-resnet-relu" })
	var a, b bytes.Buffer
	if err := n.DrawSVG(&a); err != nil {
		t.Fatal(err)
	}
	n.DrawSVG(&b)
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two drawings of one network differ")
	}
	seen := map[string]int{}
	d := xml.NewDecoder(&a)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			seen[token.Name.Local]++
		case xml.CharData:
			seen[string(token)]++
		}
	}
	connections := 0
	for _, l := range n.Summary().Layers {
		connections += len(l.Inputs)
		if seen[l.Name] == 0 {
			t.Errorf("layer %s is not in the drawing", l.Name)
		}
	}
	if seen["rect"] != len(n.plan.layers)+1 || seen["path"] != connections+1 { // the background, the arrow's tip
		t.Errorf("%d boxes and %d connections, want %d and %d", seen["rect"]-1, seen["path"]-1, len(n.plan.layers), connections)
	}
}
