"""What maps are compared with: a 1 km truth, stations, the coarse observation, and a record that changes sensors."""
