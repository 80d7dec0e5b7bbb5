using Google.Protobuf.WellKnownTypes;
using Mcp.Agent.Volumes;
using Mcp.Protocol.V1;

namespace Mcp.Agent.Rpc;

/// <summary>A named volume, for people.</summary>
internal static class VolumeMapping
{
    public static Volume ToWire(this KeptVolume volume)
    {
        var told = new Volume
        {
            Service = volume.Service.Text,
            Name = volume.Name,
            Bytes = volume.Bytes ?? -1,
            Made = volume.Made?.ToTimestamp(),
        };
        told.UsedBy.AddRange(volume.UsedBy);
        return told;
    }
}
