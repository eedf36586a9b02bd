# The fleet simulator: scenarios, their file, and what runs them.
serin_unit_test(sim_scenario LINK serin::sim_scenario)
