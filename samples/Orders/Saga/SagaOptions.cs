using System.ComponentModel.DataAnnotations;

namespace Orders.Saga;

/// <summary>Section <c>Orders:Saga</c> of the configuration.</summary>
internal sealed class SagaOptions
{
    public const string Section = "Orders:Saga";

    /// <summary>How long a participant may take for a step, its retries included. Then the order is cancelled. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00")]
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often deadlines are looked for. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(1);
}
