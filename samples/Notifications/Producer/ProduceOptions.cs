using System.ComponentModel.DataAnnotations;

namespace Notifications.Producer;

/// <summary>The arguments of <c>Notifications produce</c>, as <c>--NAME=VALUE</c>.</summary>
internal sealed class ProduceOptions
{
    /// <summary>A file of JSON Lines, each <c>{"userId","message"}</c> with <c>id</c>, <c>timestamp</c> and <c>expiresAt</c> if wanted. Default none: a
    /// stream.</summary>
    public string? File { get; set; }

    /// <summary>How many the stream has. Default 0: until Ctrl-C.</summary>
    [Range(0, int.MaxValue)]
    public int Count { get; set; }

    /// <summary>How many are sent in a second. Default 1 for a stream; 0: as fast as Kafka takes them, which is the default for a file.</summary>
    [Range(0, 1_000_000)]
    public double? Rate { get; set; }

    /// <summary>The users of the stream, in turn. Default user1,user2.</summary>
    [Required(AllowEmptyStrings = false)]
    public string Users { get; set; } = "user1,user2";
}
