"""The networks that vf2prep trains, as a PyTorch user would write them. Of torch alone.

Names and shapes of the parameters are torchvision's where it has the network. trainpeer.py measures them;
nn/testdata/golden_networks.py takes from them the numbers that vf2prep's networks are held to.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Same(nn.Conv2d):
    """3x3 convolution with TensorFlow's "same" padding: an odd row or column goes to the end."""

    def forward(self, x):
        pads = []
        for size, stride in zip(x.shape[:1:-1], self.stride[::-1]):  # width, height
            total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
            pads += [total // 2, total - total // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:  # which the convolution can do itself
            return F.conv2d(x, self.weight, self.bias, self.stride, (pads[2], pads[0]))
        return super().forward(F.pad(x, pads))


class SeedBlock(nn.Module):
    def __init__(self, cin, cout, first, relu):
        super().__init__()
        self.relu = relu
        self.conv1 = Same(cin, cout, 3)
        self.conv2 = Same(cout, cout, 3, stride=2 if first else 1)
        self.downsample = nn.Sequential(Same(cin, cout, 3, stride=2)) if first else None

    def forward(self, x):
        shortcut = F.relu(self.downsample(x), inplace=True) if self.downsample else x
        y = self.conv2(F.relu(self.conv1(x), inplace=True))
        y += shortcut
        return F.relu(y, inplace=True) if self.relu else y


class SeedResNet(nn.Module):
    """The small network of a Keras script. relu: apply the ReLU after each addition, which it dropped."""

    def __init__(self, height, width, classes, relu=False):
        super().__init__()
        self.conv1 = Same(3, 16, 3)
        self.layer1 = nn.Sequential(SeedBlock(16, 16, True, relu), SeedBlock(16, 16, False, relu))
        self.layer2 = nn.Sequential(SeedBlock(16, 32, True, relu), SeedBlock(32, 32, False, relu))
        pooled = [(n + 3) // 4 // 7 for n in (height, width)]
        self.fc = nn.Linear(32 * pooled[0] * pooled[1], classes)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.conv1(x), inplace=True)))
        return self.fc(torch.flatten(F.avg_pool2d(x, 7), 1))


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, cin, width, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x) if self.downsample else x
        return self.relu(y)


class SqueezeExcitation(nn.Module):
    """J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018; ratio 16."""

    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x):
        scale = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)), inplace=True)
        return x * torch.sigmoid(self.fc2(scale))


class Bottleneck(nn.Module):
    """The stride stands in the 3x3 convolution, as in torchvision; the paper has it in the first 1x1."""

    expansion = 4

    def __init__(self, cin, width, stride, downsample, squeeze=False):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.se = SqueezeExcitation(4 * width) if squeeze else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        if self.se:
            y = self.se(y)
        y += self.downsample(x) if self.downsample else x
        return self.relu(y)


class SEBottleneck(Bottleneck):
    def __init__(self, *args):
        super().__init__(*args, squeeze=True)


class ResNet(nn.Module):
    """K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016."""

    def __init__(self, block, counts, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        cin = 64
        for stage, count in enumerate(counts):
            width, blocks = 64 << stage, []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                cout, downsample = width * block.expansion, None
                if stride > 1 or cin != cout:
                    downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))
                blocks.append(block(cin, width, stride, downsample))
                cin = cout
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(cin, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class VGG16(nn.Module):
    """K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    ICLR 2015, configuration D. Nothing is pooled before the classifier, whose size follows the input's."""

    def __init__(self, height, width, classes, dropout=0.5):
        super().__init__()
        layers, cin = [], 3
        for channels, count in (64, 2), (128, 2), (256, 3), (512, 3), (512, 3):
            for _ in range(count):
                layers += [nn.Conv2d(cin, channels, 3, padding=1), nn.ReLU(inplace=True)]
                cin = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * (height // 32) * (width // 32), 4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
            nn.Linear(4096, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def build(arch, height, width, classes, dropout=0.5):
    """The network that vf2prep calls arch, for 3 x height x width. Only vgg16 has dropout."""
    match arch:
        case "seed-resnet":
            return SeedResNet(height, width, classes)
        case "seed-resnet-relu":
            return SeedResNet(height, width, classes, relu=True)
        case "resnet18":
            return ResNet(BasicBlock, (2, 2, 2, 2), classes)
        case "resnet50":
            return ResNet(Bottleneck, (3, 4, 6, 3), classes)
        case "senet50":
            return ResNet(SEBottleneck, (3, 4, 6, 3), classes)
        case "vgg16":
            return VGG16(height, width, classes, dropout)
    raise ValueError(f"no network {arch!r}")
