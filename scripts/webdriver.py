"""A window of WebKitGTK on a screen of its own, driven through WebKitWebDriver; scripts/screenshots and scripts/bench use it."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

LIMIT_S = 60


def mini_browser():
    return next(pathlib.Path("/usr").glob("lib*/**/webkit2gtk-4.1/MiniBrowser"))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Window:
    """`display` is where it shows; `ask` asks its driver, `value` gives what a JavaScript expression comes to."""

    def __init__(self, display, base):
        self.display, self.base = display, base

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.read().decode()}")

    def value(self, expression):
        return self.ask("POST", "/execute/sync", {"script": f"return {expression}", "args": []})

    def until(self, expression, what, limit=LIMIT_S):
        """Waits until the expression is true, and gives its value."""
        end = time.monotonic() + limit
        while not (value := self.value(expression)):
            if time.monotonic() > end:
                sys.exit(f"the window does not show {what}; it shows\n{self.value('document.body.innerText')}")
            time.sleep(0.1)
        return value

    def xdotool(self, *words):
        subprocess.run(["xdotool", *map(str, words)], env=os.environ | {"DISPLAY": self.display}, stdout=subprocess.DEVNULL, check=True)


@contextlib.contextmanager
def screen(width, height):
    """A display with room for a window with a page of that size."""
    read, write = os.pipe()
    size = f"{width + 100}x{height + 200}x24"
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL)
    try:
        os.close(write)
        yield f":{os.read(read, 16).decode().strip()}"
    finally:
        os.close(read)
        server.terminate()
        server.wait()


def env_of(display):
    return {"DISPLAY": display, "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11", "LIBGL_ALWAYS_SOFTWARE": "1", "TAURI_WEBVIEW_AUTOMATION": "true"}


@contextlib.contextmanager
def window(width, height, binary, args=(), address="127.0.0.1", start=subprocess.Popen, env=os.environ):
    """Has WebKitWebDriver start `binary` with `args` on a screen of its own.

    `start` starts a program where the window shall run, which listens at `address`.
    """
    with contextlib.ExitStack() as stack:
        display = stack.enter_context(screen(width, height))
        port = free_port()
        driver = start(["WebKitWebDriver", f"--host={address}", f"--port={port}"], env=env | env_of(display), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(driver.wait)
        stack.callback(driver.terminate)
        of_driver = Window(display, f"http://{address}:{port}")
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": {"binary": str(binary), "args": list(args)}}}}
        end = time.monotonic() + LIMIT_S
        while True:
            try:
                session = of_driver.ask("POST", "/session", wanted)["sessionId"]
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > end:
                    sys.exit("WebKitWebDriver does not answer")
                time.sleep(0.1)
        shown = Window(display, f"{of_driver.base}/session/{session}")
        stack.callback(lambda: shown.ask("DELETE", ""))
        yield shown


def fit(shown, width, height):
    """Makes the page of that size, whatever the window itself takes up above it."""
    shown.ask("POST", "/window/rect", {"x": 0, "y": 0, "width": width, "height": height})
    inner = shown.value("[innerWidth, innerHeight]")
    shown.ask("POST", "/window/rect", {"x": 0, "y": 0, "width": width + width - inner[0], "height": height + height - inner[1]})
