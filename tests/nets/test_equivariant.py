"""An equivariant U-Net answers alike wherever its image lies on the circle, to the bit; but for rounding, by its grids alone."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from delineate.nets import DOWN, UP, UNet, folded
from delineate.nets.equivariant import origins, phases, rolled, wrapped

SIDES = {2: (16, 24), 3: (8, 8, 16)}


def net_of(dims, *, taught=False, **settings):
    """A small equivariant net in float64 and evaluation mode, whose batch norms hold statistics of their own."""
    torch.manual_seed(0)
    net = UNet(2, 3, dims=dims, width=3, levels=3, equivariant=True, **settings).double()
    if taught:
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(5):
            images = torch.rand(2, 2, *SIDES[dims]).double()
            with torch.enable_grad():
                loss = F.cross_entropy(net(images), (images[:, 0] > 0.5).long())
                optimiser.zero_grad()
                loss.backward()
            optimiser.step()
    else:
        for module in net.modules():
            if hasattr(module, "running_var"):
                module.running_mean.uniform_(-0.2, 0.0)
                module.running_var.uniform_(0.02, 0.1)
    return net.eval()


def each_moved(images, shifts, *, back=False):
    """Every image of a batch by a shift of its own."""
    axes = tuple(range(1, images.ndim - 1))
    return torch.stack(
        [
            image.roll([-by for by in shift] if back else list(shift), axes)
            for image, shift in zip(images, shifts, strict=True)
        ]
    )


@torch.no_grad()
@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_same_bits_come_after_shifts_that_differ_within_a_batch(dims, shuffle, taught):
    net = net_of(dims, taught=taught, shuffle=shuffle)
    images = torch.rand(3, 2, *SIDES[dims]).double()
    still = net(images)
    for first in range(net.divisor + 1):
        shifts = [(first, 0, 3)[:dims], (1, first, 5)[:dims], (first, first, first)[:dims]]
        assert torch.equal(each_moved(net(each_moved(images, shifts)), shifts, back=True), still)


@torch.no_grad()
def test_every_single_shift_gives_the_same_bits():
    net = net_of(2, taught=True, shuffle=2)
    image = torch.rand(1, 2, 16, 16).double()
    still = net(image)
    for shift in itertools.product(range(16), repeat=2):
        assert torch.equal(net(image.roll(shift, (2, 3))).roll([-by for by in shift], (2, 3)), still)


@torch.no_grad()
@pytest.mark.parametrize(("down", "up"), list(itertools.product(DOWN, UP)))
@pytest.mark.parametrize("dims", [2, 3])
def test_the_grids_alone_make_it_so_but_for_rounding(dims, down, up, monkeypatch):
    monkeypatch.setattr(
        "delineate.nets.unet.origins", lambda images: [torch.zeros(1, dims).long()] * len(images)
    )
    net = net_of(dims, down=down, up=up, shuffle=2)
    images = torch.rand(2, 2, *SIDES[dims]).double()
    still = net(images)
    for shifts in ([(1, 0, 0), (0, 1, 1)], [(3, 2, 7), (5, 5, 5)]):
        shifts = [shift[:dims] for shift in shifts]
        moved = each_moved(net(each_moved(images, shifts)), shifts, back=True)
        torch.testing.assert_close(moved, still, rtol=0, atol=1e-12)


@torch.no_grad()
def test_max_pooling_on_a_fixed_grid_is_not_equivariant():
    """What is tested above can fail."""
    net = net_of(2)
    net.equivariant = False
    image = torch.rand(1, 2, 16, 16).double()
    assert not torch.allclose(net(image.roll(1, 3)).roll(-1, 3), net(image), atol=1e-3)


@torch.no_grad()
def test_an_image_alone_and_in_a_batch_is_sampled_alike():
    net = net_of(2, shuffle=2)
    images = torch.rand(4, 2, 16, 24).double()
    torch.testing.assert_close(net(images)[2:3], net(images[2:3]), rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (40, 33)])
def test_any_size_is_kept(size):
    assert net_of(2, shuffle=2)(torch.rand(1, 2, *size).double()).shape == (1, 3, *size)


@torch.no_grad()
@pytest.mark.parametrize("image", ["black and white", "one pixel"])
def test_ties_between_grids_do_not_break_it(image):
    net = net_of(2, shuffle=2)
    images = {
        "black and white": (torch.rand(1, 2, 16, 16) > 0.5).float(),
        "one pixel": F.one_hot(torch.tensor(77), 512).view(1, 2, 16, 16).float(),
    }[image].double()
    still = net(images)
    for shift in ((1, 0), (0, 3), (7, 2)):
        assert torch.equal(net(images.roll(shift, (2, 3))).roll([-by for by in shift], (2, 3)), still)


@torch.no_grad()
@pytest.mark.parametrize("period", [1, 3])
def test_an_image_that_repeats_itself_has_an_answer_that_does_so_too(period):
    net = net_of(2, shuffle=2, up="transposed")
    image = torch.rand(1, 2, 16, period).double().repeat(1, 1, 1, 24 // period)
    still = net(image)
    torch.testing.assert_close(still.roll(period, 3), still, rtol=0, atol=1e-12)
    for by in range(5):
        torch.testing.assert_close(
            net(image.roll((1, by), (2, 3))).roll((-1, -by), (2, 3)), still, rtol=0, atol=1e-12
        )


def test_the_strongest_grid_is_chosen():
    x = torch.zeros(2, 1, 4, 4)
    x[0, 0, 1::2, ::2] = 1
    x[1, 0, ::2, 1::2] = -1
    assert phases(x).tolist() == [[1, 0], [0, 1]]


def test_the_strength_of_a_grid_does_not_depend_on_the_order_of_its_sum():
    x = torch.rand(8, 3, 64, 64)
    still = phases(x)
    for shift in ((1, 0), (1, 1), (20, 33)):
        assert torch.equal(phases(x.roll(shift, (2, 3))), (still + torch.tensor(shift)) % 2)


def test_a_third_of_the_pixels_can_be_chosen_as_well():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 2::3, 1::3] = 1
    assert phases(x, factor=3).tolist() == [[2, 1]]
    net = net_of(2, shuffle=3)
    image = torch.rand(1, 2, 24, 24).double()
    with torch.no_grad():
        assert torch.equal(net(image.roll((5, 7), (2, 3))).roll((-5, -7), (2, 3)), net(image))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("layout", ["contiguous", "last"])
def test_gradients_of_rolling_and_wrapping_are_right(dims, layout):
    x = torch.rand(2, 2, *(2, 4, 2)[:dims]).double()
    if layout == "last":
        x = x.contiguous(memory_format=torch.channels_last if dims == 2 else torch.channels_last_3d)
    x.requires_grad_()
    places = torch.tensor([[0, 1, 1], [1, 1, 0]])[:, :dims]
    for operation in (
        wrapped,
        lambda x: wrapped(x, before=0),
        lambda x: rolled(x, places),
        lambda x: rolled(x, places, back=True),
    ):
        assert torch.autograd.gradcheck(operation, x)
        assert operation(x).is_contiguous(memory_format=torch.contiguous_format) == (layout == "contiguous")


def test_rolling_moves_each_image_as_torch_does():
    x, places = torch.rand(2, 3, 4, 6), torch.tensor([[3, 5], [0, 1]])
    expected = torch.stack([x[0].roll((-3, -5), (1, 2)), x[1].roll((0, -1), (1, 2))])
    torch.testing.assert_close(rolled(x, places), expected, rtol=0, atol=0)
    torch.testing.assert_close(rolled(rolled(x, places), places, back=True), x, rtol=0, atol=0)


def test_wrapping_is_circular_padding():
    x = torch.rand(1, 2, 4, 5, 6)
    torch.testing.assert_close(wrapped(x), F.pad(x, (1,) * 6, mode="circular"), rtol=0, atol=0)


def test_origins_of_equal_pixels_are_told_apart_by_what_lies_around_them():
    image = torch.zeros(1, 1, 12, 16)
    image[0, 0, [1, 1, 4], [2, 3, 9]] = 1
    still = origins(image)[0]
    for shift in ((0, 1), (5, 0), (11, 13)):
        moved = origins(image.roll(shift, (2, 3)))[0]
        assert torch.equal(moved, (still + torch.tensor(shift)) % torch.tensor([12, 16]))


@torch.no_grad()
def test_folded_batch_norms_keep_it_equivariant():
    net = folded(net_of(2, shuffle=2))
    image = torch.rand(1, 2, 16, 16).double()
    torch.testing.assert_close(net(image), net_of(2, shuffle=2)(image), rtol=0, atol=1e-12)
    assert torch.equal(net(image.roll((3, 1), (2, 3))).roll((-3, -1), (2, 3)), net(image))


@torch.no_grad()
def test_a_part_is_that_part_of_the_whole():
    net, image = net_of(2, shuffle=2), torch.rand(1, 2, 21, 16).double()
    part = net.part(image, (slice(3, 9), slice(0, 16)))
    torch.testing.assert_close(part, net(image)[..., 3:9, :], rtol=0, atol=0)


def test_without_the_choice_the_network_is_what_it_was():
    torch.manual_seed(0)
    first = UNet(1, 2, width=4, levels=3)
    torch.manual_seed(0)
    second = UNet(1, 2, width=4, levels=3, equivariant=True)
    assert [p.shape for p in first.parameters()] == [p.shape for p in second.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
