package nn

import "fmt"

// vgg16 is VGG-Face's network, configuration D of Simonyan and Zisserman: 3x3 convolutions with
// ReLU, max pooling by 2, three fully connected layers, no normalisation. The parameters have
// torchvision's names; unlike torchvision's, the first fully connected layer sees the maps as they are,
// whatever the input's size.
//
// O. M. Parkhi, A. Vedaldi, A. Zisserman, "Deep Face Recognition", BMVC 2015.
// K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
// ICLR 2015.
func vgg16(p *plan, cfg Config) {
	x := p.input(cfg.Channels, cfg.Height, cfg.Width)
	at := 0 // torchvision counts convolutions, ReLUs and poolings
	for stage, convs := range []int{2, 2, 3, 3, 3} {
		for range convs {
			x = p.conv2d(fmt.Sprintf("features.%d", at), x, min(64<<stage, 512), 3, 1, 1, true, true)
			at += 2
		}
		x = p.maxPool(fmt.Sprintf("features.%d", at), x, 2, 2, 0)
		at++
	}
	x = p.flatten("flatten", x)
	for i := range 2 {
		x = p.linear(fmt.Sprintf("classifier.%d", 3*i), x, 4096, he)
		x.relu = true
		x = p.dropout(fmt.Sprintf("classifier.%d", 3*i+2), x, cfg.Dropout)
	}
	p.learn(x, "classifier.6", fanIn, cfg)
}
