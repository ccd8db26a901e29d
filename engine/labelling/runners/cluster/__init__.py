"""Labels on a Ray cluster: `ray_actors.RayActors` is the runner, `actor.Mailbox` what runs on the nodes."""
