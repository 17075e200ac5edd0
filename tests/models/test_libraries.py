"""Networks of timm and torchvision: names, options, and what is refused."""

import pytest
import torch
import torchvision

from thumbnet.errors import RecipeError
from thumbnet.models import build_model, check_model, last_layer, parameter_count
from thumbnet.models.libraries import torchvision_names
from thumbnet.recipe import Model


def test_a_timm_network_takes_its_options() -> None:
    network = build_model(Model("timm/test_resnet", {"drop_rate": 0.25, "in_chans": 3}), 9, 32)
    assert network.get_parameter("fc.weight").shape[0] == 9
    assert vars(network)["drop_rate"] == 0.25


def test_a_torchvision_network_is_torchvisions() -> None:
    torch.manual_seed(3)
    ours = build_model(Model("torchvision/mobilenet_v3_small", {"dropout": 0.5}), 9, 64)
    torch.manual_seed(3)
    theirs = torchvision.models.mobilenet_v3_small(num_classes=9, dropout=0.5)
    assert repr(ours) == repr(theirs)
    state = theirs.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in ours.state_dict().items())
    assert last_layer(ours)[0] == "classifier.3"


def test_only_classification_networks_of_torchvision_are_known() -> None:
    names = torchvision_names()
    assert {"alexnet", "densenet161", "googlenet", "inception_v3", "squeezenet1_1", "vgg16", "vit_b_16"} <= set(names)
    assert not [name for name in names if "rcnn" in name or "fcn" in name or "3d" in name]


@pytest.mark.parametrize(("name", "size"), [("googlenet", 32), ("inception_v3", 75)])
def test_side_classifiers_are_off(name: str, size: int) -> None:
    network = build_model(Model(f"torchvision/{name}"), 7, size).train()
    with torch.no_grad():
        assert network(torch.rand(2, 3, size, size)).shape == (2, 7)
    assert not any(part.startswith(("aux", "Aux")) for part, _ in network.named_children())


def test_a_densenet_of_the_report_can_be_built() -> None:
    with torch.device("meta"):
        network = build_model(Model("torchvision/densenet161"), 200, 64)
    assert parameter_count(network) == 26_472_000 + 2_208 * 200 + 200


def test_a_network_that_ends_in_a_convolution_has_no_head_to_train() -> None:
    network = build_model(Model("torchvision/squeezenet1_1"), 7, 64)
    with pytest.raises(
        RecipeError, match=r"SqueezeNet: the network has no fully connected layer to train as its head"
    ):
        last_layer(network)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model("timm/resnet81"), r"timm/resnet81 is unknown; did you mean resnet18"),
        (Model("torchvision/googelnet"), r"torchvision/googelnet is unknown; did you mean googlenet"),
        (Model("torchvision/fcn_resnet50"), r"torchvision/fcn_resnet50 is unknown"),
        (Model("torchvision/ResNet18"), r"torchvision/ResNet18 is unknown; did you mean resnet18"),
        (Model("torchvision/googlenet", {"aux_logits": True}), r"its output in training is not one tensor of logits"),
        (Model("torchvision/inception_v3", {"aux_logits": True}), r"leave aux_logits out"),
    ],
    ids=str,
)
def test_what_is_unknown_or_unfit_is_refused_before_anything_is_built(model: Model, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_model(model)
    with pytest.raises(RecipeError, match=message):
        build_model(model, 4, 64)


@pytest.mark.parametrize("name", ["timm/test_resnet", "torchvision/resnet18"])
@pytest.mark.parametrize("option", ["pretrained", "pretrained_cfg", "weights", "checkpoint_path"])
def test_weights_have_one_place_in_a_recipe(name: str, option: str) -> None:
    with pytest.raises(RecipeError, match=f"the option '{option}' is not a recipe's; use model.weights"):
        check_model(Model(name, {option: True}))


@pytest.mark.parametrize(
    ("library", "name", "options"),
    [
        ("timm", "test_resnet", {"drop_rote": 0.1}),
        ("timm", "test_resnet", {"block_args": 3}),
        ("timm", "test_resnet", {"num_classes": 3}),
        ("torchvision", "resnet18", {"zero_init": True}),
        ("torchvision", "mnasnet0_5", {"dropout": "much"}),
        ("torchvision", "vit_b_16", {"image_size": 63}),
    ],
)
def test_options_that_a_library_refuses_are_a_recipe_error(
    library: str, name: str, options: dict[str, object]
) -> None:
    with pytest.raises(RecipeError, match=rf"model {library}/{name}: {library} refuses the options \{{'"):
        build_model(Model(f"{library}/{name}", options), 4, 64)
