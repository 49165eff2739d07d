// Prints the constants of this package that golang.org/x/sys/unix lacks, as the
// kernel's headers have them. headers.txt is its output:
//
//	gcc -o headers headers.c && ./headers >headers.txt
//
// with Debian's linux-libc-dev 6.1.187-1.
#include <stddef.h>
#include <stdio.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <linux/nexthop.h>
#include <linux/lwtunnel.h>
#include <linux/ila.h>
#include <linux/in_route.h>
#include <linux/ioam6.h>
#include <linux/ioam6_iptunnel.h>
#include <linux/rpl.h>
#include <linux/rpl_iptunnel.h>
#include <linux/seg6.h>
#include <linux/seg6_hmac.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <linux/mpls.h>
#include <linux/mpls_iptunnel.h>
#include <linux/netlink.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netconf.h>
#include <linux/icmpv6.h>
#include <linux/inet_diag.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#define VALUE(name, expr) printf("%s %lld\n", name, (long long)(expr))
#define P(name) VALUE(#name, name)

int main(void)
{
	VALUE("FibRuleHdrFamily", offsetof(struct fib_rule_hdr, family));
	VALUE("FibRuleHdrDstLen", offsetof(struct fib_rule_hdr, dst_len));
	VALUE("FibRuleHdrSrcLen", offsetof(struct fib_rule_hdr, src_len));
	VALUE("FibRuleHdrTOS", offsetof(struct fib_rule_hdr, tos));
	VALUE("FibRuleHdrTable", offsetof(struct fib_rule_hdr, table));
	VALUE("FibRuleHdrRes1", offsetof(struct fib_rule_hdr, res1));
	VALUE("FibRuleHdrRes2", offsetof(struct fib_rule_hdr, res2));
	VALUE("FibRuleHdrAction", offsetof(struct fib_rule_hdr, action));
	VALUE("FibRuleHdrFlags", offsetof(struct fib_rule_hdr, flags));
	VALUE("SizeofFibRuleHdr", sizeof(struct fib_rule_hdr));
	P(ICMPV6_ROUTER_PREF_MEDIUM);
	P(ICMPV6_ROUTER_PREF_HIGH);
	P(ICMPV6_ROUTER_PREF_INVALID);
	P(ICMPV6_ROUTER_PREF_LOW);
	P(ALTIFNAMSIZ);
	P(IF_OPER_UNKNOWN);
	P(IF_OPER_NOTPRESENT);
	P(IF_OPER_DOWN);
	P(IF_OPER_LOWERLAYERDOWN);
	P(IF_OPER_TESTING);
	P(IF_OPER_DORMANT);
	P(IF_OPER_UP);
	P(IFA_PROTO);
	P(IFAPROT_UNSPEC);
	P(IFAPROT_KERNEL_LO);
	P(IFAPROT_KERNEL_RA);
	P(IFAPROT_KERNEL_LL);
	P(LWTUNNEL_IP_UNSPEC);
	P(LWTUNNEL_IP_ID);
	P(LWTUNNEL_IP_DST);
	P(LWTUNNEL_IP_SRC);
	P(LWTUNNEL_IP_TTL);
	P(LWTUNNEL_IP_TOS);
	P(LWTUNNEL_IP_FLAGS);
	P(LWTUNNEL_IP_PAD);
	P(LWTUNNEL_IP_OPTS);
	P(LWTUNNEL_IP6_UNSPEC);
	P(LWTUNNEL_IP6_ID);
	P(LWTUNNEL_IP6_DST);
	P(LWTUNNEL_IP6_SRC);
	P(LWTUNNEL_IP6_HOPLIMIT);
	P(LWTUNNEL_IP6_TC);
	P(LWTUNNEL_IP6_FLAGS);
	P(LWTUNNEL_IP6_PAD);
	P(LWTUNNEL_IP6_OPTS);
	P(LWTUNNEL_IP_OPTS_UNSPEC);
	P(LWTUNNEL_IP_OPTS_GENEVE);
	P(LWTUNNEL_IP_OPTS_VXLAN);
	P(LWTUNNEL_IP_OPTS_ERSPAN);
	P(LWTUNNEL_IP_OPT_GENEVE_CLASS);
	P(LWTUNNEL_IP_OPT_GENEVE_TYPE);
	P(LWTUNNEL_IP_OPT_GENEVE_DATA);
	P(LWTUNNEL_IP_OPT_VXLAN_GBP);
	P(LWTUNNEL_IP_OPT_ERSPAN_VER);
	P(LWTUNNEL_IP_OPT_ERSPAN_INDEX);
	P(LWTUNNEL_IP_OPT_ERSPAN_DIR);
	P(LWTUNNEL_IP_OPT_ERSPAN_HWID);
	P(LWT_BPF_UNSPEC);
	P(LWT_BPF_IN);
	P(LWT_BPF_OUT);
	P(LWT_BPF_XMIT);
	P(LWT_BPF_XMIT_HEADROOM);
	P(LWT_BPF_PROG_UNSPEC);
	P(LWT_BPF_PROG_FD);
	P(LWT_BPF_PROG_NAME);
	P(LWT_XFRM_UNSPEC);
	P(LWT_XFRM_IF_ID);
	P(LWT_XFRM_LINK);
	P(MPLS_LS_LABEL_MASK);
	P(MPLS_LS_LABEL_SHIFT);
	P(MPLS_LS_TC_MASK);
	P(MPLS_LS_TC_SHIFT);
	P(MPLS_LS_S_MASK);
	P(MPLS_LS_S_SHIFT);
	P(MPLS_LS_TTL_MASK);
	P(MPLS_LS_TTL_SHIFT);
	P(MPLS_LABEL_IPV4NULL);
	P(MPLS_LABEL_RTALERT);
	P(MPLS_LABEL_IPV6NULL);
	P(MPLS_LABEL_IMPLNULL);
	P(MPLS_LABEL_ENTROPY);
	P(MPLS_LABEL_GAL);
	P(MPLS_LABEL_OAMALERT);
	P(MPLS_LABEL_EXTENSION);
	P(MPLS_LABEL_FIRST_UNRESERVED);
	P(NLMSGERR_ATTR_UNUSED);
	P(NLMSGERR_ATTR_POLICY);
	P(NLMSGERR_ATTR_MISS_TYPE);
	P(NLMSGERR_ATTR_MISS_NEST);
	VALUE("NLA_TYPE_MASK", (unsigned short)NLA_TYPE_MASK);
	VALUE("SizeofNhmsg", sizeof(struct nhmsg));
	VALUE("SizeofNexthopGrp", sizeof(struct nexthop_grp));
	P(NEXTHOP_GRP_TYPE_MPATH);
	P(NEXTHOP_GRP_TYPE_RES);
	P(NHA_FDB);
	P(NHA_RES_GROUP);
	P(NHA_RES_BUCKET);
	P(NHA_RES_GROUP_UNSPEC);
	P(NHA_RES_GROUP_PAD);
	P(NHA_RES_GROUP_BUCKETS);
	P(NHA_RES_GROUP_IDLE_TIMER);
	P(NHA_RES_GROUP_UNBALANCED_TIMER);
	P(NHA_RES_GROUP_UNBALANCED_TIME);
	P(NHA_RES_BUCKET_UNSPEC);
	P(NHA_RES_BUCKET_PAD);
	P(NHA_RES_BUCKET_INDEX);
	P(NHA_RES_BUCKET_IDLE_TIME);
	P(NHA_RES_BUCKET_NH_ID);
	P(RTA_PROTOINFO);
	P(RTA_SESSION);
	P(RTA_MP_ALGO);
	P(RTA_NH_ID);
	VALUE("RtaCacheinfoClntref", offsetof(struct rta_cacheinfo, rta_clntref));
	VALUE("RtaCacheinfoLastuse", offsetof(struct rta_cacheinfo, rta_lastuse));
	VALUE("RtaCacheinfoExpires", offsetof(struct rta_cacheinfo, rta_expires));
	VALUE("RtaCacheinfoError", offsetof(struct rta_cacheinfo, rta_error));
	VALUE("RtaCacheinfoUsed", offsetof(struct rta_cacheinfo, rta_used));
	VALUE("RtaCacheinfoID", offsetof(struct rta_cacheinfo, rta_id));
	VALUE("RtaCacheinfoTS", offsetof(struct rta_cacheinfo, rta_ts));
	VALUE("RtaCacheinfoTSAge", offsetof(struct rta_cacheinfo, rta_tsage));
	VALUE("SizeofRtaCacheinfo", sizeof(struct rta_cacheinfo));
	P(RTEXT_FILTER_SKIP_STATS);
	P(RTNL_FAMILY_IPMR);
	P(RTNL_FAMILY_IP6MR);
	VALUE("IPv6SRHdrNexthdr", offsetof(struct ipv6_sr_hdr, nexthdr));
	VALUE("IPv6SRHdrHdrlen", offsetof(struct ipv6_sr_hdr, hdrlen));
	VALUE("IPv6SRHdrType", offsetof(struct ipv6_sr_hdr, type));
	VALUE("IPv6SRHdrSegmentsLeft", offsetof(struct ipv6_sr_hdr, segments_left));
	VALUE("IPv6SRHdrFirstSegment", offsetof(struct ipv6_sr_hdr, first_segment));
	VALUE("IPv6SRHdrFlags", offsetof(struct ipv6_sr_hdr, flags));
	VALUE("IPv6SRHdrTag", offsetof(struct ipv6_sr_hdr, tag));
	VALUE("SizeofIPv6SRHdr", sizeof(struct ipv6_sr_hdr));
	VALUE("SR6TLVHMACKeyID", offsetof(struct sr6_tlv_hmac, hmackeyid));
	VALUE("SizeofSR6TLVHMAC", sizeof(struct sr6_tlv_hmac));
	P(IPV6_SRCRT_TYPE_4);
	P(SR6_FLAG1_PROTECTED);
	P(SR6_FLAG1_OAM);
	P(SR6_FLAG1_ALERT);
	P(SR6_FLAG1_HMAC);
	P(SR6_TLV_INGRESS);
	P(SR6_TLV_EGRESS);
	P(SR6_TLV_OPAQUE);
	P(SR6_TLV_PADDING);
	P(SR6_TLV_HMAC);
	P(SEG6_IPTUNNEL_UNSPEC);
	P(SEG6_IPTUNNEL_SRH);
	VALUE("Seg6IPTunnelEncapMode", offsetof(struct seg6_iptunnel_encap, mode));
	VALUE("SizeofSeg6IPTunnelEncap", sizeof(struct seg6_iptunnel_encap));
	P(SEG6_IPTUN_MODE_INLINE);
	P(SEG6_IPTUN_MODE_ENCAP);
	P(SEG6_IPTUN_MODE_L2ENCAP);
	P(SEG6_IPTUN_MODE_ENCAP_RED);
	P(SEG6_IPTUN_MODE_L2ENCAP_RED);
	P(SEG6_LOCAL_UNSPEC);
	P(SEG6_LOCAL_ACTION);
	P(SEG6_LOCAL_SRH);
	P(SEG6_LOCAL_TABLE);
	P(SEG6_LOCAL_NH4);
	P(SEG6_LOCAL_NH6);
	P(SEG6_LOCAL_IIF);
	P(SEG6_LOCAL_OIF);
	P(SEG6_LOCAL_BPF);
	P(SEG6_LOCAL_VRFTABLE);
	P(SEG6_LOCAL_COUNTERS);
	P(SEG6_LOCAL_FLAVORS);
	P(SEG6_LOCAL_ACTION_UNSPEC);
	P(SEG6_LOCAL_ACTION_END);
	P(SEG6_LOCAL_ACTION_END_X);
	P(SEG6_LOCAL_ACTION_END_T);
	P(SEG6_LOCAL_ACTION_END_DX2);
	P(SEG6_LOCAL_ACTION_END_DX6);
	P(SEG6_LOCAL_ACTION_END_DX4);
	P(SEG6_LOCAL_ACTION_END_DT6);
	P(SEG6_LOCAL_ACTION_END_DT4);
	P(SEG6_LOCAL_ACTION_END_B6);
	P(SEG6_LOCAL_ACTION_END_B6_ENCAP);
	P(SEG6_LOCAL_ACTION_END_BM);
	P(SEG6_LOCAL_ACTION_END_S);
	P(SEG6_LOCAL_ACTION_END_AS);
	P(SEG6_LOCAL_ACTION_END_AM);
	P(SEG6_LOCAL_ACTION_END_BPF);
	P(SEG6_LOCAL_ACTION_END_DT46);
	P(SEG6_LOCAL_BPF_PROG_UNSPEC);
	P(SEG6_LOCAL_BPF_PROG);
	P(SEG6_LOCAL_BPF_PROG_NAME);
	P(SEG6_LOCAL_CNT_UNSPEC);
	P(SEG6_LOCAL_CNT_PAD);
	P(SEG6_LOCAL_CNT_PACKETS);
	P(SEG6_LOCAL_CNT_BYTES);
	P(SEG6_LOCAL_CNT_ERRORS);
	P(SEG6_LOCAL_FLV_UNSPEC);
	P(SEG6_LOCAL_FLV_OPERATION);
	P(SEG6_LOCAL_FLV_LCBLOCK_BITS);
	P(SEG6_LOCAL_FLV_LCNODE_FN_BITS);
	P(SEG6_LOCAL_FLV_OP_UNSPEC);
	P(SEG6_LOCAL_FLV_OP_PSP);
	P(SEG6_LOCAL_FLV_OP_USP);
	P(SEG6_LOCAL_FLV_OP_USD);
	P(SEG6_LOCAL_FLV_OP_NEXT_CSID);
	P(RTCF_NOTIFY);
	P(RTCF_DIRECTDST);
	P(RTCF_REDIRECTED);
	P(RTCF_TPROXY);
	P(RTCF_FAST);
	P(RTCF_SNAT);
	P(RTCF_DNAT);
	P(RTCF_BROADCAST);
	P(RTCF_MULTICAST);
	P(RTCF_REJECT);
	P(RTCF_LOCAL);
	P(ILA_ATTR_LOCATOR);
	P(ILA_ATTR_CSUM_MODE);
	P(ILA_ATTR_IDENT_TYPE);
	P(ILA_ATTR_HOOK_TYPE);
	P(ILA_CSUM_ADJUST_TRANSPORT);
	P(ILA_CSUM_NEUTRAL_MAP);
	P(ILA_CSUM_NO_ACTION);
	P(ILA_CSUM_NEUTRAL_MAP_AUTO);
	P(ILA_ATYPE_IID);
	P(ILA_ATYPE_LUID);
	P(ILA_ATYPE_VIRT_V4);
	P(ILA_ATYPE_VIRT_UNI_V6);
	P(ILA_ATYPE_VIRT_MULTI_V6);
	P(ILA_ATYPE_NONLOCAL_ADDR);
	P(ILA_ATYPE_USE_FORMAT);
	P(ILA_HOOK_ROUTE_OUTPUT);
	P(ILA_HOOK_ROUTE_INPUT);
	P(RPL_IPTUNNEL_SRH);
	P(IOAM6_IPTUNNEL_MODE);
	P(IOAM6_IPTUNNEL_DST);
	P(IOAM6_IPTUNNEL_TRACE);
	P(IOAM6_IPTUNNEL_FREQ_K);
	P(IOAM6_IPTUNNEL_FREQ_N);
	P(IOAM6_IPTUNNEL_MODE_INLINE);
	P(IOAM6_IPTUNNEL_MODE_ENCAP);
	P(IOAM6_IPTUNNEL_MODE_AUTO);
	VALUE("RPLSRHdrHdrlen", offsetof(struct ipv6_rpl_sr_hdr, hdrlen));
	VALUE("RPLSRHdrType", offsetof(struct ipv6_rpl_sr_hdr, type));
	VALUE("RPLSRHdrSegmentsLeft", offsetof(struct ipv6_rpl_sr_hdr, segments_left));
	VALUE("SizeofRPLSRHdr", sizeof(struct ipv6_rpl_sr_hdr));
	VALUE("IOAM6TraceHdrNamespace", offsetof(struct ioam6_trace_hdr, namespace_id));
	VALUE("IOAM6TraceHdrRemLen", offsetof(struct ioam6_trace_hdr, type_be32) - 1);
	VALUE("IOAM6TraceHdrType", offsetof(struct ioam6_trace_hdr, type_be32));
	VALUE("SizeofIOAM6TraceHdr", sizeof(struct ioam6_trace_hdr));
	VALUE("InetDiagReqV2Family", offsetof(struct inet_diag_req_v2, sdiag_family));
	VALUE("InetDiagReqV2Protocol", offsetof(struct inet_diag_req_v2, sdiag_protocol));
	VALUE("InetDiagReqV2States", offsetof(struct inet_diag_req_v2, idiag_states));
	VALUE("SizeofInetDiagReqV2", sizeof(struct inet_diag_req_v2));
	VALUE("InetDiagMsgFamily", offsetof(struct inet_diag_msg, idiag_family));
	VALUE("InetDiagMsgState", offsetof(struct inet_diag_msg, idiag_state));
	VALUE("InetDiagMsgSPort", offsetof(struct inet_diag_msg, id.idiag_sport));
	VALUE("InetDiagMsgDPort", offsetof(struct inet_diag_msg, id.idiag_dport));
	VALUE("InetDiagMsgSrc", offsetof(struct inet_diag_msg, id.idiag_src));
	VALUE("InetDiagMsgIf", offsetof(struct inet_diag_msg, id.idiag_if));
	VALUE("InetDiagMsgInode", offsetof(struct inet_diag_msg, idiag_inode));
	VALUE("SizeofInetDiagMsg", sizeof(struct inet_diag_msg));
	P(INET_DIAG_SKV6ONLY);
	P(NFTA_DEVICE_NAME);
	P(NFTA_SET_FIELD_LEN);
	P(NFT_TABLE_F_OWNER);
	P(NFT_CHAIN_BASE);
	P(NFT_CHAIN_HW_OFFLOAD);
	P(NFT_CHAIN_BINDING);
	P(NFT_SET_CONCAT);
	P(NFT_SET_EXPR);
	P(NFT_SET_ELEM_CATCHALL);
	P(NFT_META_SECPATH);
	P(NFT_BITWISE_MASK_XOR);
	P(NFT_BITWISE_LSHIFT);
	P(NFT_BITWISE_RSHIFT);
	P(NFT_DYNSET_OP_DELETE);
	P(NFT_DYNSET_F_EXPR);
	P(NFTA_TABLE_HANDLE);
	P(NFTA_TABLE_PAD);
	P(NFTA_TABLE_USERDATA);
	P(NFTA_TABLE_OWNER);
	P(NFTA_CHAIN_FLAGS);
	P(NFTA_CHAIN_ID);
	P(NFTA_CHAIN_USERDATA);
	P(NFTA_HOOK_DEVS);
	P(NFTA_RULE_POSITION_ID);
	P(NFTA_RULE_CHAIN_ID);
	P(NFTA_SET_HANDLE);
	P(NFTA_SET_EXPR);
	P(NFTA_SET_EXPRESSIONS);
	P(NFTA_SET_DESC_CONCAT);
	P(NFTA_SET_ELEM_KEY_END);
	P(NFTA_SET_ELEM_EXPRESSIONS);
	P(NFTA_VERDICT_CHAIN_ID);
	P(NFTA_BITWISE_OP);
	P(NFTA_BITWISE_DATA);
	P(NFTA_DYNSET_EXPRESSIONS);
	VALUE("NfgenmsgFamily", offsetof(struct nfgenmsg, nfgen_family));
	VALUE("NfgenmsgVersion", offsetof(struct nfgenmsg, version));
	VALUE("NfgenmsgResID", offsetof(struct nfgenmsg, res_id));
	VALUE("SizeofNfgenmsg", sizeof(struct nfgenmsg));
	P(NF_DROP);
	P(NF_ACCEPT);
	P(NF_IP_PRI_CONNTRACK_DEFRAG);
	P(NF_IP_PRI_RAW);
	P(NF_IP_PRI_CONNTRACK);
	P(NF_IP_PRI_MANGLE);
	P(NF_IP_PRI_NAT_DST);
	P(NF_IP_PRI_FILTER);
	P(NF_IP_PRI_SECURITY);
	P(NF_IP_PRI_NAT_SRC);
	P(IPS_EXPECTED);
	P(IPS_SEEN_REPLY);
	P(IPS_ASSURED);
	P(IPS_CONFIRMED);
	P(IPS_SRC_NAT);
	P(IPS_DST_NAT);
	P(IPS_SEQ_ADJUST);
	P(IPS_SRC_NAT_DONE);
	P(IPS_DST_NAT_DONE);
	P(IPS_DYING);
	P(IPS_FIXED_TIMEOUT);
	P(IPS_TEMPLATE);
	P(IPS_UNTRACKED);
	P(IPS_HELPER);
	P(IPS_OFFLOAD);
	P(IPS_HW_OFFLOAD);
	P(NF_CT_STATE_INVALID_BIT);
	P(NF_CT_STATE_UNTRACKED_BIT);
	P(IP_CT_ESTABLISHED);
	P(IP_CT_RELATED);
	P(IP_CT_NEW);
	P(IP_CT_IS_REPLY);
	P(IP_CT_DIR_ORIGINAL);
	P(IP_CT_DIR_REPLY);
	P(IPCTNL_MSG_CT_NEW);
	P(IPCTNL_MSG_CT_GET);
	P(IPCTNL_MSG_CT_DELETE);
	P(CTA_UNSPEC);
	P(CTA_TUPLE_ORIG);
	P(CTA_TUPLE_REPLY);
	P(CTA_STATUS);
	P(CTA_PROTOINFO);
	P(CTA_HELP);
	P(CTA_NAT_SRC);
	P(CTA_TIMEOUT);
	P(CTA_MARK);
	P(CTA_COUNTERS_ORIG);
	P(CTA_COUNTERS_REPLY);
	P(CTA_USE);
	P(CTA_ID);
	P(CTA_NAT_DST);
	P(CTA_TUPLE_MASTER);
	P(CTA_SEQ_ADJ_ORIG);
	P(CTA_SEQ_ADJ_REPLY);
	P(CTA_SECMARK);
	P(CTA_ZONE);
	P(CTA_SECCTX);
	P(CTA_TIMESTAMP);
	P(CTA_MARK_MASK);
	P(CTA_LABELS);
	P(CTA_LABELS_MASK);
	P(CTA_SYNPROXY);
	P(CTA_FILTER);
	P(CTA_STATUS_MASK);
	P(CTA_TUPLE_UNSPEC);
	P(CTA_TUPLE_IP);
	P(CTA_TUPLE_PROTO);
	P(CTA_TUPLE_ZONE);
	P(CTA_IP_UNSPEC);
	P(CTA_IP_V4_SRC);
	P(CTA_IP_V4_DST);
	P(CTA_IP_V6_SRC);
	P(CTA_IP_V6_DST);
	P(CTA_PROTO_UNSPEC);
	P(CTA_PROTO_NUM);
	P(CTA_PROTO_SRC_PORT);
	P(CTA_PROTO_DST_PORT);
	P(CTA_PROTO_ICMP_ID);
	P(CTA_PROTO_ICMP_TYPE);
	P(CTA_PROTO_ICMP_CODE);
	P(CTA_PROTO_ICMPV6_ID);
	P(CTA_PROTO_ICMPV6_TYPE);
	P(CTA_PROTO_ICMPV6_CODE);
	P(IPV4_DEVCONF_SEND_REDIRECTS);
	P(IPV4_DEVCONF_SRC_VMARK);
	P(IPV4_DEVCONF_ACCEPT_LOCAL);
	P(IPV4_DEVCONF_ROUTE_LOCALNET);
	P(DEVCONF_USE_TEMPADDR);
	P(DEVCONF_DISABLE_IPV6);
	P(DEVCONF_USE_OPTIMISTIC);
	P(DEVCONF_USE_OIF_ADDRS_ONLY);
	P(IFLA_AF_SPEC);
	P(IFLA_INET_CONF);
	P(IFLA_INET6_CONF);
	P(RTNLGRP_IPV4_NETCONF);
	P(RTNLGRP_IPV6_NETCONF);
	P(NETCONFA_IFINDEX);
	P(NETCONFA_FORWARDING);
	P(NETCONFA_RP_FILTER);
	P(NETCONFA_MC_FORWARDING);
	P(NETCONFA_PROXY_NEIGH);
	P(NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN);
	P(NETCONFA_INPUT);
	P(NETCONFA_BC_FORWARDING);
	P(RTM_NEWNETCONF);
	P(RTM_GETNETCONF);
	P(RTM_DELNETCONF);
	VALUE("NETCONFA_IFINDEX_ALL", (unsigned)NETCONFA_IFINDEX_ALL);
	VALUE("NetconfmsgFamily", offsetof(struct netconfmsg, ncm_family));
	VALUE("SizeofNetconfmsg", NLMSG_ALIGN(sizeof(struct netconfmsg)));
	P(NF_NAT_RANGE_MAP_IPS);
	P(NF_NAT_RANGE_PROTO_SPECIFIED);
	P(NF_NAT_RANGE_PROTO_RANDOM);
	P(NF_NAT_RANGE_PERSISTENT);
	return 0;
}
