"""`python3 -m shop`: serves on port 8000, and ends what it began when it is told to stop."""

import uvicorn

if __name__ == "__main__":
    # Uvicorn's own lines go the way of all others, as JSON; its access log would double ours.
    uvicorn.run(
        "shop.app:serve", factory=True, host="0.0.0.0", port=8000, access_log=False, log_config=None,
        timeout_graceful_shutdown=10)
