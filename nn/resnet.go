package nn

import "fmt"

// A resNet is one of the networks of He et al. as torchvision builds them, batch normalisation
// after each convolution, and the stride of a bottleneck in its 3x3 convolution; parameters have
// torchvision's names.
//
// K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016.
type resNet struct {
	blocks     [4]int
	bottleneck bool
	// squeeze is the ratio by which squeeze-and-excitation narrows, 0 without it. Its two layers
	// are named se.fc1 and se.fc2; their weights are those of 1x1 convolutions.
	//
	// J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018.
	squeeze int
}

func (r resNet) build(p *plan, cfg Config) {
	x := p.conv2d("conv1", p.input(cfg.Channels, cfg.Height, cfg.Width), 64, 7, 2, 3, false, false)
	x = p.maxPool("maxpool", p.norm("bn1", x, nil, true), 3, 2, 1)
	for stage, n := range r.blocks {
		for block := range n {
			stride := 1
			if block == 0 && stage > 0 {
				stride = 2
			}
			x = r.block(p, fmt.Sprintf("layer%d.%d", stage+1, block), x, 64<<stage, stride)
		}
	}
	p.learn(p.mean("avgpool", x), "fc", fanIn, cfg)
}

// block adds a residual block of so many channels, four times as many at a bottleneck's end.
func (r resNet) block(p *plan, name string, x *layer, channels, stride int) *layer {
	out := channels
	if r.bottleneck {
		out = 4 * channels
	}
	shortcut := x
	if stride != 1 || x.out[0] != out {
		shortcut = p.conv2d(name+".downsample.0", x, out, 1, stride, 0, false, false)
		shortcut = p.norm(name+".downsample.1", shortcut, nil, false)
	}
	if !r.bottleneck {
		x = p.conv2d(name+".conv1", x, channels, 3, stride, 1, false, false)
		x = p.norm(name+".bn1", x, nil, true)
		x = p.conv2d(name+".conv2", x, out, 3, 1, 1, false, false)
		return p.norm(name+".bn2", x, shortcut, true)
	}
	x = p.conv2d(name+".conv1", x, channels, 1, 1, 0, false, false)
	x = p.norm(name+".bn1", x, nil, true)
	x = p.conv2d(name+".conv2", x, channels, 3, stride, 1, false, false)
	x = p.norm(name+".bn2", x, nil, true)
	x = p.conv2d(name+".conv3", x, out, 1, 1, 0, false, false)
	if r.squeeze == 0 {
		return p.norm(name+".bn3", x, shortcut, true)
	}
	x = p.norm(name+".bn3", x, nil, false)
	z := p.mean(name+".se.avgpool", x)
	z = p.linear1x1(name+".se.fc1", z, out/r.squeeze, true)
	z = p.linear1x1(name+".se.fc2", z, out, false)
	return p.gate(name+".se", x, z, shortcut)
}

// linear1x1 adds a fully connected layer whose weights have the shape of a 1x1 convolution's.
func (p *plan) linear1x1(name string, in *layer, out int, relu bool) *layer {
	l := p.linear(name, in, out, he)
	l.params[0].shape = append(l.params[0].shape, 1, 1)
	l.relu = relu
	return l
}
