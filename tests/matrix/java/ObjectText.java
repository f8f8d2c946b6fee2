import io.vineyard.Blob;
import io.vineyard.ObjectId;
import io.vineyard.VineyardObject;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** The text of an object as the metadata has it: its fields, its members, the bytes of blobs. */
final class ObjectText {
  private final Text text = new Text();
  private final Map<ObjectId, Integer> numbers = new HashMap<>();

  private ObjectText() {}

  static String of(VineyardObject object) {
    ObjectText made = new ObjectText();
    made.object(0, "", object);
    return made.text.toString();
  }

  private void object(int depth, String label, VineyardObject object) {
    Integer known = numbers.putIfAbsent(object.id(), numbers.size());
    if (known != null) {
      text.line(depth, label + "#" + known);
      return;
    }
    String number = "#" + numbers.get(object.id());
    text.line(depth, label + number + " " + Text.quoted(object.typeName()) + " nbytes " + object.nbytes());
    object.fields().forEach((name, value) -> text.field(depth + 1, "field " + Text.quoted(name) + " ", value));
    for (String name : object.members().keySet()) {
      try (VineyardObject member = object.member(name)) {
        object(depth + 1, "member " + Text.quoted(name) + " ", member);
      }
    }
    if (object.id().isBlob()) {
      try (Blob blob = object.blob()) {
        ByteBuffer value = blob.buffer();
        // A buffer of no bytes may be anywhere.
        int place = value.hasRemaining() ? value.alignmentOffset(0, 64) : 0;
        text.line(depth + 1, "value at " + place + " " + Text.data(value));
        text.line(depth + 1, "stored " + Text.data(blob.storedBuffer()));
      }
    }
  }
}
