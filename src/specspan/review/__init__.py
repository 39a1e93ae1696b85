"""Reviews: decisions that a person rules on, the queue they wait in, and what the rulings are good for."""
