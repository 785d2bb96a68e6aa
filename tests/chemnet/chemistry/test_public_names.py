"""The names that scripts outside the project call."""

import chemnet


def test_a_network_is_read_and_its_species_are_named():
    network = chemnet.chemistry.Network.read("collapse")
    assert network.species_names[0]
    assert len(network.species_names) == len(set(network.species_names))
    assert network.stoichiometry.shape == (len(network.species_names), len(network.elements))


def test_every_public_name_exists():
    for name in dir(chemnet.chemistry):
        assert getattr(chemnet.chemistry, name).__name__ == name
