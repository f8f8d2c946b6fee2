#include "daemon/config_file.h"

#include <toml++/impl/preprocessor.h>
// toml++ 3.3 takes it for granted that "[" is followed by a name; what it says of one that is not is right behind
// that. Its assumption would end a debug build, and is undefined behaviour in clang's others.
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT_ASSUME(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "core/base/bytes.h"
#include "daemon/words.h"

namespace vineyard::daemon {
namespace {

constexpr size_t kMostBytes = kMiB;

// A key of the file, whatever stands behind it.
struct Entry {
  const toml::key* key;
  const toml::node* node;
  unsigned line() const { return key->source().begin.line; }
};

std::string At(const std::string& path, unsigned line) {
  return Format("%s line %u", path.c_str(), line);
}

Status Bad(const std::string& path, const Entry& entry, const std::string& why) {
  return Invalid(At(path, entry.line()) + ": '" + std::string(entry.key->str()) + "': " + why);
}

Result<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return ErrnoStatus("--config " + path, errno);
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return ErrnoStatus("--config " + path, errno);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMostBytes) {
    return Limit("--config " + path + ": it is longer than 1 MiB: is it a configuration file?");
  }
  return text;
}

// The first line that has other characters than ASCII's outside of a text in quotes and of comments; 0: none has.
// None is TOML, and toml++ 3.3 takes some of them for what can not be (undefined behaviour).
unsigned LineOfBareText(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";  // some editors begin files with it
  if (text.substr(0, kMark.size()) == kMark) text.remove_prefix(kMark.size());
  unsigned line = 1;
  char until = 0;  // the quote or the end of line that ends what was begun
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    bool escapes = c == '\\' && until == '"';
    if (escapes && i + 1 < text.size() && text[i + 1] != '\n') c = text[++i];
    bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (!is_ascii && (until == 0 || escapes)) return line;
    if (c == '\n') {
      ++line;
      until = 0;
    } else if (until == 0 && (c == '"' || c == '\'' || c == '#')) {
      until = c == '#' ? '\n' : c;
    } else if (c == until && !escapes) {
      until = 0;
    }
  }
  return 0;
}

const char* KindOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    default:
      return "a date or a time of day";
  }
}

std::string Expected(const KnownSetting& setting) {
  switch (setting.kind) {
    case SettingKind::kSize:
      return "a size: " + setting.name + " = \"4Gi\", or a number of bytes without quotes";
    case SettingKind::kTime:
      return "a time: " + setting.name + " = \"10s\"";
    case SettingKind::kText:
      return "a text in quotes: " + setting.name + " = \"...\"";
    case SettingKind::kAny:
      break;
  }
  return "a text, a number, true or false";
}

Result<std::string> ValueOf(const std::string& path, const Entry& entry,
                            const KnownSetting& known) {
  const toml::node& node = *entry.node;
  bool numbers = known.kind == SettingKind::kSize || known.kind == SettingKind::kAny;
  if (const auto* text = node.as_string()) {
    if (text->get().empty() && known.is_shown) {
      return Bad(path, entry, "its value is empty; give one, or leave the line out");
    }
    return text->get();
  }
  if (const auto* number = node.as_integer(); number != nullptr && numbers) {
    return std::to_string(number->get());
  }
  if (known.kind == SettingKind::kAny) {
    if (const auto* number = node.as_floating_point()) return Format("%g", number->get());
    if (const auto* is_on = node.as_boolean()) return std::string(is_on->get() ? "true" : "false");
  }
  return Bad(path, entry, "expected is " + Expected(known) + "; there is " + KindOf(node));
}

std::string WithDashes(std::string_view key) {
  std::string name(key);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

Status CheckKey(const std::string& path, const Entry& entry, const KnownSetting* setting,
                const std::vector<KnownSetting>& known) {
  if (entry.node->is_table() || entry.node->is_array_of_tables()) {
    bool section = setting == nullptr;
    return Bad(path, entry,
               section ? "there are no sections, and no keys with points; every setting stands "
                         "alone, such as meta-heap = \"1Gi\""
                       : "expected is " + Expected(*setting) + "; there is a section");
  }
  if (setting != nullptr) return OkStatus();
  std::vector<std::string> names;
  for (const KnownSetting& shown : known) {
    if (shown.is_shown) names.push_back(shown.name);
  }
  return Bad(path, entry,
             "there is no such setting" + DidYouMean(WithDashes(entry.key->str()), names));
}

Result<std::vector<Setting>> Interpret(const std::string& path, const toml::table& table,
                                       const std::vector<KnownSetting>& known) {
  std::vector<Entry> entries;
  for (auto&& [key, node] : table) entries.push_back({&key, &node});
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.line() < b.line(); });
  std::vector<Setting> settings;
  for (const Entry& entry : entries) {
    std::string name = WithDashes(entry.key->str());
    auto found = std::find_if(known.begin(), known.end(),
                              [&](const KnownSetting& one) { return one.name == name; });
    const KnownSetting* setting = found == known.end() ? nullptr : &*found;
    RETURN_IF_ERROR(CheckKey(path, entry, setting, known));
    auto before = std::find_if(settings.begin(), settings.end(),
                               [&](const Setting& one) { return one.name == name; });
    if (before != settings.end()) return Bad(path, entry, "it is set at " + before->where);
    ASSIGN_OR_RETURN(std::string value, ValueOf(path, entry, *setting));
    settings.push_back({name, std::move(value), At(path, entry.line())});
  }
  return settings;
}

}  // namespace

Result<std::vector<Setting>> ReadConfigFile(const std::string& path,
                                            const std::vector<KnownSetting>& known) {
  ASSIGN_OR_RETURN(std::string text, ReadText(path));
  auto no_toml = [&](unsigned line, std::string why) {
    // It quotes what it saw: the rest of a line with its end.
    std::replace_if(
        why.begin(), why.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return Invalid(At(path, line) + ": it is no TOML (texts have quotes: size = \"4Gi\"): " + why);
  };
  if (unsigned line = LineOfBareText(text); line > 0) {
    return no_toml(line, "only a text in quotes may have characters beside ASCII's");
  }
  try {
    return Interpret(path, toml::parse(text), known);
  } catch (const toml::parse_error& error) {
    return no_toml(error.source().begin.line, std::string(error.description()));
  }
}

std::string QuoteForConfigFile(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') quoted += '\\';
    if (byte < 0x20 || byte == 0x7f) {
      quoted += Format("\\u%04x", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace vineyard::daemon
