package nn

import "fmt"

// seedResNet is the first network of the project, a Keras script's: a 3x3 convolution, four
// residual blocks, average pooling 7x7 and a fully connected layer.
//
// It keeps the script's ways: the stride stands in a block's second convolution and in the
// shortcut, the shortcut is a 3x3 convolution with ReLU, a block's second convolution has none,
// and the first block of 16 channels halves the map although its width does not change.
// The script computed a ReLU after each addition but went on with the sum; relu uses it.
func seedResNet(p *plan, cfg Config, relu bool) {
	x := p.conv("conv1", p.input(cfg.Channels, cfg.Height, cfg.Width), 16, 3, 1, true)
	for stage, channels := range []int{16, 32} {
		for block := range 2 {
			name := fmt.Sprintf("layer%d.%d", stage+1, block)
			stride, shortcut := 1, x
			if block == 0 {
				stride = 2
			}
			main := p.conv(name+".conv1", x, channels, 3, 1, true)
			main = p.conv(name+".conv2", main, channels, 3, stride, false)
			if block == 0 {
				shortcut = p.conv(name+".downsample.0", x, channels, 3, 2, true)
			}
			x = p.sum(name+".add", main, shortcut, relu)
		}
	}
	x = p.flatten("flatten", p.avgPool("avgpool", x, 7, 7))
	p.learn(x, "fc", glorot, cfg)
}
