"""Public clients against the simulator: Microsoft's own sign-in library with each of its grants,
and a client of the Partner Center API. Neither was written for the simulator, so they show where it
differs from the real services.

Run by scripts/test-clients, which has the packages of requirements.txt in a folder of its own.
Ends with 0 if all went well, else with 1 and the first thing that did not.
"""

import datetime
import hashlib
import html
import http.client
import http.server
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import webbrowser

import jwt
import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from microsoft.store.partnercenterservices import MicrosoftPartnerStoreApis
from msrest.authentication import BasicTokenAuthentication

CLIENT = "sim-client"
SECRET = "sim-secret"
COLLECTION = (
    "MicrosoftPartnerSdkContractsV1CollectionsResourceCollection"
    "MicrosoftPartnerSdkContractsAnalyticsCustomerLicenses{}Insights"
)
CUSTOMERS = 23
PAGE = 5


def identity(name):
    """A private key and a self-signed certificate for it, both as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


class TlsInFront(http.server.BaseHTTPRequestHandler):
    """A reverse proxy, because the library accepts only https authorities."""

    protocol_version = "HTTP/1.1"
    backend = None

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(self.backend, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        headers["X-Forwarded-Proto"] = "https"
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_HEAD = forward

    def log_message(self, *_):
        pass


class Browser(webbrowser.BaseBrowser):
    """Opens a page, and submits its form as a real browser would."""

    def __init__(self, ca):
        super().__init__("simulated")
        self.ca = ca

    def open(self, url, new=0, autoraise=True):
        threading.Thread(target=self.visit, args=(url,), daemon=True).start()
        return True

    def visit(self, url):
        """Returns the fields that the page sent back to the application."""
        page = requests.get(url, verify=self.ca, allow_redirects=False, timeout=30)
        if page.status_code == 302:
            query = urllib.parse.urlparse(page.headers["Location"]).query
            return dict(urllib.parse.parse_qsl(query))
        check(page.status_code == 200, f"the page answers {page.status_code}: {page.text}")
        action = html.unescape(re.search(r'action="([^"]*)"', page.text)[1])
        inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in inputs}
        if urllib.parse.urlparse(action).port:
            requests.post(action, data=fields, timeout=30)
        return fields


def check(holds, what):
    if not holds:
        raise SystemExit(f"test-clients: {what}")


def passed(what):
    print(f"ok    {what}", flush=True)


class World:
    """The simulator, the TLS proxy in front of it, and the means to reach both."""

    def __init__(self, program, folder):
        self.simulator = subprocess.Popen(
            [
                program,
                "--listen",
                "127.0.0.1:0",
                "--exit-with-parent",
                "--customers",
                str(CUSTOMERS),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self.simulator.stdout.readline().strip().removeprefix("listening on ")
        TlsInFront.backend = self.address.removeprefix("http://")
        key, certificate = identity("localhost")
        self.ca = str(folder / "ca.pem")
        pathlib.Path(self.ca).write_text(certificate)
        # The environment takes precedence over the settings of a session.
        os.environ["REQUESTS_CA_BUNDLE"] = self.ca
        os.environ.pop("CURL_CA_BUNDLE", None)
        pathlib.Path(folder / "key.pem").write_text(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, folder / "key.pem")
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TlsInFront)
        proxy.daemon_threads = True
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.base = f"https://localhost:{proxy.server_port}"
        self.scopes = [f"{self.base}/user_impersonation"]
        self.browser = Browser(self.ca)

    def control(self, method, path, body=None):
        requests.request(
            method, f"{self.address}/_sim/{path}", data=body, timeout=30
        ).raise_for_status()

    def settings(self, **settings):
        self.control("PATCH", "settings", json.dumps(settings))

    def application(self, kind, credential=None, oidc=False):
        authority = f"{self.base}/contoso.onmicrosoft.com"
        where = {"oidc_authority": f"{authority}/v2.0"} if oidc else {"authority": authority}
        return kind(
            CLIENT, client_credential=credential, instance_discovery=False, verify=self.ca, **where
        )

    def judge(self, answer, way, person=True):
        """Checks that the API accepts the access token and that the ID token is signed by the
        provider's key."""
        check("access_token" in answer, f"{way}: {answer}")
        check(answer["token_type"] == "Bearer", f"{way}: {answer['token_type']}")
        if person:
            keys = requests.get(
                f"{self.base}/contoso.onmicrosoft.com/discovery/v2.0/keys",
                verify=self.ca,
                timeout=30,
            ).json()
            claims = jwt.decode(
                answer["id_token"],
                jwt.PyJWK(keys["keys"][0]).key,
                algorithms=["RS256"],
                audience=CLIENT,
                issuer=f"{self.base}/contoso.onmicrosoft.com/v2.0",
            )
            check(claims["tid"], f"{way}: {claims}")
            check(answer.get("client_info"), f"{way}: no client_info")
        # Without a signed-in person, an application may list customers and do nothing else.
        listed = requests.get(
            f"{self.base}/v1/customers?size=1",
            headers={"Authorization": f"Bearer {answer['access_token']}"},
            verify=self.ca,
            timeout=30,
        )
        wanted = 200 if person else listed.status_code
        check(listed.status_code == wanted and listed.status_code != 401, f"{way}: {listed.text}")
        passed(way)
        return answer["access_token"]


def confidential_clients(world):
    """Each credential by which the library can authenticate the application."""
    key, certificate = identity("application")
    world.settings(client_certificate=certificate, require_client_secret=True)
    der = ssl.PEM_cert_to_DER_cert(certificate)
    return {
        "client secret": SECRET,
        "certificate (PS256, x5t#S256, x5c)": {
            "private_key": key,
            "public_certificate": certificate,
        },
        "certificate (RS256, x5t)": {
            "private_key": key,
            "thumbprint": hashlib.sha1(der).hexdigest(),
        },
    }


def sign_in(world):
    """Tests all grants with all credentials. Returns an access token of a person."""
    for name, credential in confidential_clients(world).items():
        app = world.application(msal.ConfidentialClientApplication, credential)
        world.judge(
            app.acquire_token_for_client([f"{world.base}/.default"]),
            f"msal: client credentials, {name}",
            person=False,
        )
        world.judge(
            app.acquire_token_by_refresh_token("sim-refresh-0", world.scopes),
            f"msal: refresh token, {name}",
        )
        for mode in ("query", "form_post"):
            flow = app.initiate_auth_code_flow(
                world.scopes, redirect_uri="http://localhost", response_mode=mode
            )
            brought = world.browser.visit(flow["auth_uri"])
            world.judge(
                app.acquire_token_by_auth_code_flow(flow, brought),
                f"msal: authorization code by {mode}, {name}",
            )
    account = app.get_accounts()[0]
    silent = app.acquire_token_silent_with_error(world.scopes, account, force_refresh=True)
    world.judge(silent, "msal: silent renewal from its cache")

    world.settings(require_client_secret=False)
    public = world.application(msal.PublicClientApplication)
    webbrowser.register("simulated", None, world.browser, preferred=True)
    world.judge(
        public.acquire_token_interactive(world.scopes, timeout=60),
        "msal: interactively, with its own loopback server",
    )
    flow = public.initiate_device_flow(world.scopes)
    check("user_code" in flow, f"msal: device code: {flow}")
    world.control("POST", "device/approve")
    token = world.judge(public.acquire_token_by_device_flow(flow), "msal: device code")
    flow = public.initiate_device_flow(world.scopes)
    world.control("POST", "device/deny")
    declined = public.acquire_token_by_device_flow(flow)
    check(declined.get("error") == "authorization_declined", f"msal: declined: {declined}")
    passed("msal: device code, declined")

    by_openid = world.application(msal.ConfidentialClientApplication, SECRET, oidc=True)
    world.judge(
        by_openid.acquire_token_for_client([f"{world.base}/.default"]),
        "msal: as a plain OpenID provider",
        person=False,
    )
    wrong = world.application(msal.ConfidentialClientApplication, "wrong")
    refused = wrong.acquire_token_for_client([f"{world.base}/.default"])
    check(refused.get("error_codes") == [7000215], f"msal: a wrong secret: {refused}")
    passed("msal: a wrong secret is refused")
    return token


def read(world, token):
    """Reads the customer list page by page, then usage and deployment of each customer."""
    client = MicrosoftPartnerStoreApis(
        BasicTokenAuthentication({"access_token": token}), base_url=world.base
    )
    client.config.connection.verify = world.ca
    world.settings(max_page_size=PAGE)
    customers, pages, more = [], 0, {}
    while more is not None:
        operation = "Next" if more else None
        page = client.getvversioncustomersfilterfilter.value(
            "1", size=PAGE, seek_operation=operation, custom_headers=more
        )
        check(page is not None, "partnercenterservices: the list of customers is refused")
        customers += page.items
        pages += 1
        following = page.links.next
        more = {header.key: header.value for header in following.headers} if following else None
    ids = {customer.id for customer in customers}
    check(len(ids) == CUSTOMERS == len(customers), f"partnercenterservices: {len(ids)} customers")
    check(pages == -(-CUSTOMERS // PAGE), f"partnercenterservices: {pages} pages")
    passed(f"partnercenterservices: {len(ids)} customers over {pages} pages")
    rows = {"usage": 0, "deployment": 0}

    def collection(dataset, call):
        # The library declares that the operation returns one item, so deserialize the collection
        # here.
        answer = call(customer, "1", raw=True).response
        check(answer.status_code == 200, f"partnercenterservices: {customer}: {answer.text}")
        return client._deserialize(COLLECTION.format(dataset), answer)

    for customer in ids:
        one = client.getvversioncustomerscustomer
        usage = collection("Usage", one.idanalyticslicensesusage)
        deployment = collection("Deployment", one.idanalyticslicensesdeployment)
        for item in usage.items:
            check(item.licenses_active <= item.licenses_qualified * 2, f"{item}")
            check(item.product_name and item.workload_name, f"{item}")
            check(isinstance(item.processed_date_time, datetime.datetime), f"{item}")
        rows["usage"] += len(usage.items)
        rows["deployment"] += len(deployment.items)
    check(all(rows.values()), f"partnercenterservices: {rows}")
    passed(
        f"partnercenterservices: {rows['usage']} rows of usage, {rows['deployment']} of deployment"
    )


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(sys.argv[1], pathlib.Path(folder))
        try:
            read(world, sign_in(world))
        finally:
            world.simulator.stdin.close()
            world.simulator.wait(30)


if __name__ == "__main__":
    main()
