"""What clients that we did not write make of the server: Python's http.client and urllib, and curl.
Run by HttpServer.RealClients: clients.py PORT."""
import http.client
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request

PORT = int(sys.argv[1])
BASE = f"http://localhost:{PORT}"


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"clients.py: {what}: got {got!r}, wanted {wanted!r}")


def python_clients():
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    for _ in range(3):                      # one connection, kept alive
        connection.request("GET", "/hello")
        answer = connection.getresponse()
        check("hello", (answer.status, answer.read()), (200, b"hello"))
        check("kept alive", answer.will_close, False)
    data = bytes(range(256)) * 2000
    connection.request("POST", "/echo", body=data)
    check("echo", connection.getresponse().read() == data, True)
    pieces = [data[i:i + 7777] for i in range(0, len(data), 7777)]
    connection.request("POST", "/echo", body=iter(pieces), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    check("chunked", connection.getresponse().read() == data, True)
    connection.request("HEAD", "/hello")
    answer = connection.getresponse()
    check("head", (answer.status, answer.read(), answer.getheader("Content-Length")),
          (200, b"", "5"))
    connection.request("GET", "/ticks?1000")
    answer = connection.getresponse()
    check("stream", answer.read(), b"tick\n" * 1000)
    connection.request("PUT", "/pieces", body=data)
    check("pieces", connection.getresponse().read(), str(len(data)).encode())
    connection.close()
    with urllib.request.urlopen(BASE + "/v1/models/a%2Fb", timeout=10) as answer:
        check("urllib", answer.read(), b"a/b")
    try:
        urllib.request.urlopen(BASE + "/nowhere", timeout=10)
        check("an error", "none", "404")
    except urllib.error.HTTPError as error:
        check("an error", error.code, 404)


def curl(*arguments, data=None):
    run = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True,
                         input=data, check=False)
    return run.stdout


def curl_clients():
    check("curl", curl(BASE + "/hello"), b"hello")
    check("curl -d", curl("-d", '{"a":1}', BASE + "/api/take"), b'{"a":1}')
    check("curl -d, large: 100-continue",
          curl("-H", "Expect: 100-continue", "--data-binary", "@-", BASE + "/echo",
               data=b"x" * 900_000), b"x" * 900_000)
    check("curl, chunked", curl("-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
                                BASE + "/echo", data=b"y" * 300_000), b"y" * 300_000)
    check("curl -I", b"Content-Length: 5" in curl("-I", BASE + "/hello"), True)
    check("curl -0", curl("-0", BASE + "/ticks"), b"tick\n" * 3)
    check("curl, two", curl(BASE + "/hello", BASE + "/ticks"), b"hello" + b"tick\n" * 3)
    status = ["-o", "/dev/null", "-w", "%{http_code}"]
    check("curl, too large", curl(*status, "--data-binary", "@-", BASE + "/echo",
                                  data=b"z" * 3_000_000), b"413")
    check("curl, foreign host", curl(*status, "-H", "Host: evil.test", BASE + "/hello"), b"403")
    check("curl, foreign origin", curl(*status, "-H", "Origin: http://evil.test",
                                       BASE + "/hello"), b"403")
    check("curl -T", curl("-T", "-", BASE + "/pieces", data=b"w" * 200_000)[-6:].isdigit(), True)


def many_at_once():
    wrong = []

    def one():
        for _ in range(20):
            with urllib.request.urlopen(BASE + "/ticks?40", timeout=20) as answer:
                if answer.read() != b"tick\n" * 40:
                    wrong.append(1)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("16 at once", len(wrong), 0)


python_clients()
if shutil.which("curl"):
    curl_clients()
many_at_once()
