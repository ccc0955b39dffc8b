#include "server/guard.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <boost/asio/ip/address.hpp>
#include <cstring>

#include "base/check.h"

namespace hearth::server {
namespace {

// Names that only this machine, or its network, answers for.
constexpr std::string_view kLocalEndings[] = {".localhost", ".local", ".internal"};

// As Ollama allows: pages of this machine, and programs that wrap a page.
constexpr std::string_view kOrigins[] = {
    "http://localhost",   "https://localhost",   "http://localhost:*",   "https://localhost:*",
    "http://127.0.0.1",   "https://127.0.0.1",   "http://127.0.0.1:*",   "https://127.0.0.1:*",
    "http://0.0.0.0",     "https://0.0.0.0",     "http://0.0.0.0:*",     "https://0.0.0.0:*",
    "http://[::1]",       "https://[::1]",       "http://[::1]:*",       "https://[::1]:*",
    "app://*",            "file://*",            "tauri://*",            "vscode-webview://*",
    "vscode-file://*"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Whether `text` is `pattern`, in which one "*" may stand for any characters; the "*" of a port
// for digits only, so that "http://localhost:*" is not "http://localhost:1@evil.test".
bool matches(std::string_view pattern, std::string_view text) {
  size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  std::string_view head = pattern.substr(0, star), tail = pattern.substr(star + 1);
  if (text.size() < head.size() + tail.size() || !text.starts_with(head) || !text.ends_with(tail))
    return false;
  std::string_view middle = text.substr(head.size(), text.size() - head.size() - tail.size());
  return !head.ends_with(':') || is_port(middle);
}

// In a time that depends on the length of `given` alone.
bool same_secret(std::string_view secret, std::string_view given) {
  unsigned char different = secret.size() != given.size();
  for (size_t i = 0; i < given.size(); ++i)
    different |= static_cast<unsigned char>(given[i] ^ secret[i % secret.size()]);
  return different == 0;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// What the client shows to be let in: a token, or whatever else Authorization says.
std::string_view credential(const Request& request) {
  std::string_view value = request.header("authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (value.size() >= kBearer.size() && lower(value.substr(0, kBearer.size())) == kBearer)
    return trimmed(value.substr(kBearer.size()));
  return value.empty() ? request.header("x-api-key") : value;
}

void sip_round(std::array<uint64_t, 4>& v) {
  v[0] += v[1], v[1] = std::rotl(v[1], 13) ^ v[0], v[0] = std::rotl(v[0], 32);
  v[2] += v[3], v[3] = std::rotl(v[3], 16) ^ v[2];
  v[0] += v[3], v[3] = std::rotl(v[3], 21) ^ v[0];
  v[2] += v[1], v[1] = std::rotl(v[1], 17) ^ v[2], v[2] = std::rotl(v[2], 32);
}

std::string machine_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "localhost";
  return lower(name);
}

}  // namespace

std::array<uint64_t, 2> random_key() {
  std::array<uint64_t, 2> key;
  CHECK(getrandom(key.data(), sizeof key, 0) == sizeof key);
  return key;
}

uint64_t sip_hash(const std::array<uint64_t, 2>& key, std::string_view text) {
  std::array<uint64_t, 4> v = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                               key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
  auto take = [&](uint64_t word) {
    v[3] ^= word;
    sip_round(v), sip_round(v);
    v[0] ^= word;
  };
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    take(word);
  }
  for (size_t i = 0; i < text.size(); ++i)
    last |= uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  take(last);
  v[2] ^= 0xff;
  for (int i = 0; i < 4; ++i) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

std::optional<std::string> host_name(std::string_view host) {
  std::string_view name = host, port;
  if (host.starts_with('[')) {
    size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    name = host.substr(1, end - 1);
    port = host.substr(end + 1);
  } else if (size_t colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  if (!port.empty() && (port[0] != ':' || !(port.size() == 1 || is_port(port.substr(1)))))
    return std::nullopt;
  if (name.ends_with('.')) name.remove_suffix(1);
  auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '.' || c == '_' || c == ':';
  };
  if (name.empty() || !std::ranges::all_of(name, plain)) return std::nullopt;
  return lower(name);
}

bool is_address(const std::string& text) {
  boost::system::error_code ec;
  asio::ip::make_address(text, ec);
  return !ec;
}

bool is_loopback(const std::string& text) {
  boost::system::error_code ec;
  auto address = asio::ip::make_address(text, ec);
  if (ec) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

Guard::Guard(GuardOptions options)
    : options_(std::move(options)), machine_(machine_name()), hash_key_(random_key()) {
  anonymous_ = sip_hash(hash_key_, "anonymous");
  for (std::string& origin : options_.origins) origin = lower(origin);
  for (std::string& host : options_.hosts) host = lower(host);
}

bool Guard::host_allowed(std::string_view host) const {
  auto name = host_name(host);
  if (!name) return false;
  if (*name == "localhost" || *name == machine_) return true;
  for (std::string_view ending : kLocalEndings)
    if (name->size() > ending.size() && name->ends_with(ending)) return true;
  if (contains(options_.hosts, *name) || contains(options_.hosts, "*")) return true;
  if (!is_address(*name)) return false;
  // An address can't be made to stand for another one, so where every address of the machine is
  // ours, every address that reached us is.
  return options_.any_address || is_loopback(*name) || *name == "0.0.0.0" || *name == "::" ||
         contains(options_.bound, *name);
}

bool Guard::origin_allowed(std::string_view origin, std::string_view host) const {
  std::string wanted = lower(origin);
  auto allows = [&](std::string_view pattern) { return matches(pattern, wanted); };
  if (std::ranges::any_of(kOrigins, allows) || std::ranges::any_of(options_.origins, allows))
    return true;
  std::string own = lower(host);
  return !own.empty() && (wanted == "http://" + own || wanted == "https://" + own);
}

bool Guard::site_allowed(const Request& request) const {
  std::string_view origin = request.header("origin");
  if (!origin.empty()) return origin_allowed(origin, request.header("host"));
  if (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS")
    return true;
  std::string_view site = request.header("sec-fetch-site");
  return site.empty() || site == "same-origin" || site == "none";
}

bool Guard::key_allowed(const Request& request) const {
  if (options_.api_key.empty()) return true;
  bool bearer = same_secret(options_.api_key, credential(request));
  bool header = same_secret(options_.api_key, request.header("x-api-key"));
  return bearer || header;
}

uint64_t Guard::tenant(const Request& request) const {
  std::string_view shown = credential(request);
  return shown.empty() ? anonymous_ : sip_hash(hash_key_, shown);
}

}  // namespace hearth::server
