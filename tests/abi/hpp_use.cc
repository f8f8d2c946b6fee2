// Uses what vineyard.hpp has of templates and inline functions, once each; compiled in every dialect by abi.py,
// never run.
#include <array>
#include <complex>
#include <vector>
#include <vineyard/vineyard.hpp>

namespace {

template <class T>
std::size_t elements(const vineyard::Client& client) {
  const std::array<T, 2> values{};
  const vineyard::Object object = client.get(client.put_array(values));
  const vineyard::TensorView<T> view = object.tensor<T>();
  std::size_t count = view.values().size() + view.shape().size() + view.dimensions();
  for (const auto& value : view) count += &value == view.data() ? 1u : 0u;
  count += &view(0) == &view.at(1) ? 1u : 0u;
  return count + client.get_blob(1).as<T>().size() + client.create_blob(8).as<T>().size();
}

template <class T>
bool integer(const vineyard::Client& client, T value) {
  vineyard::MetaBuilder builder("T");
  builder.set("x", value).set("y", vineyard::FieldValue(value));
  const vineyard::Object object = client.get(client.put(builder));
  return object.field<T>("x") == value && client.put_scalar(value) != 0;
}

}  // namespace

std::size_t use(const vineyard::Client& client);
std::size_t use(const vineyard::Client& client) {
  std::size_t count = elements<std::int8_t>(client) + elements<std::int16_t>(client) +
                      elements<std::int32_t>(client) + elements<std::int64_t>(client) +
                      elements<std::uint8_t>(client) + elements<std::uint16_t>(client) +
                      elements<std::uint32_t>(client) + elements<std::uint64_t>(client) +
                      elements<vineyard::Float16>(client) + elements<float>(client) +
                      elements<double>(client) + elements<bool>(client) +
                      elements<std::complex<float>>(client) +
                      elements<std::complex<double>>(client);
  count += integer<signed char>(client, 1) && integer<unsigned char>(client, 1) &&
                   integer<short>(client, 1) && integer<unsigned short>(client, 1) &&
                   integer<int>(client, 1) && integer<unsigned>(client, 1) &&
                   integer<long>(client, 1) && integer<unsigned long>(client, 1) &&
                   integer<long long>(client, 1) && integer<unsigned long long>(client, 1)
               ? 1u
               : 0u;
  const vineyard::ObjectId id = client.put_tensor(std::vector<double>{1}, {1, 1});
  client.put_scalar(nullptr);
  client.put_scalar(true);
  client.put_scalar(1.5f);
  client.put_scalar(std::complex<float>(1, 2));
  client.put_string("text");
  const vineyard::ObjectId ids[] = {id, id};
  client.persist(ids);
  client.remove(std::vector<vineyard::ObjectId>{id});

  const vineyard::Blob blob = client.get_blob(id);
  count += blob.bytes().size() + blob.stored().size() + blob.size() + blob.text().size();
  count += vineyard::bytes_of(std::vector<int>{1}).size() + vineyard::bytes_of("text").size();
  const vineyard::span<const std::byte> part = blob.bytes().subspan(1).first(2).last(1);
  count += part.size_bytes() + (part.empty() ? 0u : 1u) + (part.front() == part.back() ? 1u : 0u);

  const vineyard::Object object = client.get("name");
  for (auto [name, value] : object.fields()) count += name.size() + value.size();
  for (auto [name, member] : object.members()) count += name.size() + member;
  count += object.field<vineyard::span<const std::byte>>("bytes").size();
  count += object.field<std::string_view>("text").size() + object.field<std::string>("t").size();
  count += object.field<bool>("bool") && object.field<double>("float") > 0 ? 1u : 0u;
  count += object.tensor().bytes().size() + object.as_string().size();
  for (vineyard::ValueView item : object.field<vineyard::ValueView>("list").items()) {
    count += vineyard::FieldValue(item) == vineyard::FieldValue::List{1, "x", nullptr} ? 1u : 0u;
  }

  for (vineyard::ObjectId each : client.list()) count += each;
  for (const vineyard::NamedObject& named : client.names()) count += named.name.size();
  for (auto [key, value] : client.labels(id)) count += key.size() + value.size();
  for (auto [name, objects] : client.types()) count += name.size() + objects;
  for (auto [name, value] : client.info()) count += name.size() + value.size();
  for (const vineyard::Instance& instance : client.instances()) count += instance.host.size();
  vineyard::Watch watch = client.watch(client.sync());
  while (auto event = watch.next()) count += event->name.size();
  return count;
}
